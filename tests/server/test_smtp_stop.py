"""Stopping: who is idle is told, who is in the middle may finish."""
import re
import threading

from tests.harness.wire import Closed


def test_a_stop_lets_messages_finish_and_tells_the_idle(fresh_postern):
    server = fresh_postern()
    server.add_domain("stop.example")
    server.add_mailbox("kim@stop.example")
    with server.smtp() as idle, server.smtp() as busy:
        busy.envelope("anna@sender.example", "kim@stop.example")
        busy.expect("DATA", 354)
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        reply = idle.reply()
        assert (reply.code, reply.enhanced) == (421, "4.3.2")
        busy.send(b"Subject: last\r\n\r\nword\r\n.\r\n")
        assert busy.reply().code == 250
        assert busy.reply().code == 421
        try:
            busy.line()
        except Closed:
            pass
        stopper.join()
    mark = server.log_mark()
    server.start()
    assert len(server.wait_for_messages("kim@stop.example", 1)) == 1
    assert not re.search("segment .* was not returned",
                         server.log_text(mark))
