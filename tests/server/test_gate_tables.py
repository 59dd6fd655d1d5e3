"""Tables of the gate are live: a changed file, a changed list, a server that
comes and goes. No reload."""
import os
import socket
import threading

from tests.harness.wait import until


def make(fresh_postern, restriction):
    server = fresh_postern(start=False)
    table = server.dir / "access"
    table.write_text("bad.example REJECT\n")
    table.chmod(0o644)
    url = server.cluster.url_of(server.database)
    for name, text in (("access2", ""),
                       ("access.cf", f"hosts = {url}\nquery = SELECT ''\n")):
        server.dir.joinpath(name).write_text(text)
        server.dir.joinpath(name).chmod(0o644)
    server.set("smtpd_recipient_restrictions",
               restriction.replace("FILE", str(table)))
    server.set("table_refresh_interval", "100ms")
    server.set("table_timeout", "20s")
    server.set("smtpd_workers", "1")
    server.start()
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example")
    return server, table


def verdict(server, sender):
    with server.smtp() as wire:
        wire.expect(f"MAIL FROM:<{sender}>", 250)
        return str(wire.cmd("RCPT TO:<kim@a.example>"))


def becomes(server, sender, code):
    until(lambda: verdict(server, sender).startswith(code),
          lambda: f"{code} for {sender}: " + verdict(server, sender))


def test_a_changed_file_is_read_without_reload(fresh_postern):
    server, table = make(fresh_postern, "check_sender_access hash:FILE")
    assert verdict(server, "x@bad.example").startswith("554 5.7.1")
    assert verdict(server, "x@new.example").startswith("250")
    mark = server.log_mark()
    table.write_text("new.example 450 wait\nlonely\nlast.example REJECT\n")
    becomes(server, "x@new.example", "450")
    assert verdict(server, "x@bad.example").startswith("250")
    assert verdict(server, "x@last.example").startswith("554")
    server.wait_for_log(rf"warning: {table}:2: a key and a value", mark)


def test_a_file_that_goes_keeps_serving_and_is_told_once(fresh_postern):
    server, table = make(fresh_postern, "check_sender_access hash:FILE, "
                         "check_sender_access hash:FILE2")
    mark = server.log_mark()
    os.rename(table, f"{table}.gone")
    server.wait_for_log(rf"warning: table hash:{table}: .*No such file", mark)
    assert verdict(server, "x@bad.example").startswith("554")
    # The other file is looked at behind it: several looks later
    for name in "one", "two", "three":
        server.dir.joinpath("access2").write_text(f"{name}.example REJECT\n")
        becomes(server, f"x@{name}.example", "554")
    assert len(server.log_lines("No such file", mark)) == 1
    table.write_text("new.example REJECT\n")
    becomes(server, "x@new.example", "554")


class TableServer:
    """tcp_table(5): says what `answers` has, silence for None."""

    def __init__(self, port=0):
        self.answers = {}
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(caller)
            threading.Thread(target=self.talk, args=(caller,),
                             daemon=True).start()

    def talk(self, caller):
        for line in caller.makefile("r"):
            key = line.split(" ", 1)[1].rstrip("\n")
            self.asked.append(key)
            answer = self.answers.get(key, "500 no")
            if answer is not None:
                caller.sendall((answer + "\n").encode())

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for caller in self.open:
            try:
                caller.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass            # its peer went first
            caller.close()


def reopened(port):
    try:
        return TableServer(port)
    except OSError:         # the near end of somebody's connection
        return None


def test_a_table_server_decides_and_its_failure_is_451(fresh_postern):
    service = TableServer()
    server, _ = make(fresh_postern,
                     "check_sender_access tcp:127.0.0.1:%d" % service.port)
    service.answers = {"x@bad.example": "200 REJECT not%20you",
                       "x@temp.example": "400 later",
                       "x@garbage.example": "<html>",
                       "x@silent.example": None}
    assert "554 5.7.1" in verdict(server, "x@bad.example")
    assert "not you" in verdict(server, "x@bad.example")
    assert verdict(server, "x@good.example").startswith("250")
    for name in "temp", "garbage":
        assert verdict(server, f"x@{name}.example").startswith("451"), name
    server.set("table_timeout", "1s")
    server.postern("reload")
    assert verdict(server, "x@silent.example").startswith("451")
    server.set("table_timeout", "20s")
    server.postern("reload")
    assert verdict(server, "x@bad.example").startswith("554")
    service.close()
    becomes(server, "x@bad.example", "451")
    again = until(lambda: reopened(service.port), "its port to be free")
    again.answers = {"x@bad.example": "200 REJECT"}
    becomes(server, "x@bad.example", "554")
    assert set(again.asked) == {"x@bad.example"}    # whole keys only
    again.close()


def test_an_access_list_in_the_database_is_live_at_once(fresh_postern):
    server, _ = make(fresh_postern, "check_sender_access pg:senders, "
                     "check_client_access unionmap:{pg:clients}")
    assert verdict(server, "x@new.example").startswith("250")
    server.postern("access", "add", "senders", "New.example",
                   "REJECT", "not", "you")
    becomes(server, "x@new.example", "554 5.7.1")
    assert "not you" in verdict(server, "x@sub.new.example")
    server.postern("access", "add", "pg:senders", "x@new.example", "OK")
    becomes(server, "x@new.example", "250")
    server.postern("access", "remove", "senders", "x@new.example")
    becomes(server, "x@new.example", "554")
    server.postern("access", "remove", "senders", "new.example")
    becomes(server, "x@new.example", "250")
    server.postern("access", "add", "clients", "127", "450 4.7.1 wait")
    becomes(server, "x@new.example", "450 4.7.1")


def test_a_pgsql_file_decides(fresh_postern):
    server, table = make(fresh_postern, "check_sender_access pgsql:FILE.cf")
    url = server.cluster.url_of(server.database)
    config = server.dir / "access.cf"
    config.chmod(0o644)
    config.write_text(f"""hosts = {url}
query = SELECT CASE WHEN '%s' = 'bad.example' THEN 'REJECT by query' END
""")
    becomes(server, "x@bad.example", "554")
    assert "by query" in verdict(server, "x@bad.example")
    assert verdict(server, "x'--@good.example").startswith("250")
    config.write_text(f"hosts = {url}\nquery = SELECT '%s' FROM nowhere\n")
    becomes(server, "x@bad.example", "451 4.3.5")
    mark = server.log_mark()
    config.write_text(f"hosts = {url}\nquery = SELECT \"%s\"\n")
    server.wait_for_log("warning: table pgsql:.*name of a table", mark)


def test_explain_asks_tables_that_ask_others(fresh_postern):
    service = TableServer()
    service.answers = {"x@bad.example": "200 REJECT by tcp"}
    server, _ = make(fresh_postern, "check_sender_access pg:senders, "
                     "check_sender_access tcp:127.0.0.1:%d" % service.port)
    server.postern("access", "add", "senders", "x@worse.example",
                   "REJECT", "by list")
    for sender, said in (("x@bad.example", "by tcp"),
                         ("x@worse.example", "by list")):
        done = server.postern("explain", "--client", "192.0.2.7", "--name",
                              "unknown", "--helo", "mx.example", "--from",
                              sender, "--to", "kim@a.example", check=False)
        assert said in done.stdout, done.stdout + done.stderr
    service.close()
