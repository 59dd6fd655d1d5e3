/*
 * npm's imapflow does a day's work:
 *	node imapflow.js HOST PORT USER PASSWORD [qresync]
 * Run where imapflow is installed (NODE_PATH). Prints what it did, one line
 * each; anything unexpected is an exception and exit code 1.
 */
'use strict';
const assert = require('node:assert/strict');
const { ImapFlow } = require('imapflow');

const [host, port, user, pass, mode] = process.argv.slice(2);
const qresync = mode === 'qresync';

function client() {
    return new ImapFlow({
        host, port: Number(port), secure: true, auth: { user, pass },
        tls: { rejectUnauthorized: false }, logger: false,
        qresync
    });
}

async function all(iterator) {
    const found = [];
    for await (const item of iterator)
        found.push(item);
    return found;
}

async function folders(c) {
    await c.mailboxCreate(['Work', '2026']);
    await c.mailboxCreate('Sent');
    const list = await c.list({ statusQuery: { messages: true } });
    const names = list.map(box => box.path).sort();
    assert.deepEqual(names, ['INBOX', 'Sent', 'Work', 'Work/2026']);
    assert.equal(list.find(box => box.path === 'Sent').specialUse, '\\Sent');
    assert.equal(list.find(box => box.path === 'INBOX').status.messages, 0);
    await c.mailboxSubscribe('Work/2026');
    await c.mailboxRename('Work/2026', 'Work/2027');
    await c.mailboxDelete('Work/2027');
    console.log('folders');
}

async function filing(c) {
    const lock = await c.getMailboxLock('INBOX');
    const gone = [];
    c.on('expunge', event => gone.push(event));
    try {
        for (let n = 1; n <= 50; n++) {
            const answer = await c.append('INBOX',
                `From: Joe <joe@x.example>\r\nSubject: letter ${n}\r\n` +
                `Message-ID: <${n}@x.example>\r\n\r\nbody ${n}\r\n`,
                n % 2 ? ['\\Seen'] : [], new Date(1e12 + n * 1000));
            assert.equal(answer.uid, n);
        }
        assert.equal(c.mailbox.exists, 50);
        console.log('append');

        const found = await all(c.fetch('1:*', { uid: true, envelope: true,
            flags: true, size: true, bodyStructure: true,
            internalDate: true }));
        assert.equal(found.length, 50);
        assert.equal(found[9].envelope.subject, 'letter 10');
        assert.equal(found[9].envelope.from[0].address, 'joe@x.example');
        assert.equal(found[9].bodyStructure.type, 'text/plain');
        assert.equal(found[9].internalDate.getTime(), 1e12 + 10000);
        assert.ok(found[8].flags.has('\\Seen'));
        console.log('fetch');

        const unseen = await c.search({ seen: false }, { uid: true });
        assert.equal(unseen.length, 25);
        const named = await c.search({ subject: 'letter 5', body: 'body 50' },
            { uid: true });
        assert.deepEqual(named, [50]);
        console.log('search');

        const { content } = await c.download('7', '1', { uid: true });
        let text = '';
        for await (const chunk of content)
            text += chunk;
        assert.equal(text.trim(), 'body 7');
        console.log('download');

        assert.ok(await c.messageFlagsAdd('1:10', ['\\Flagged', '$Work'],
            { uid: true }));
        const flagged = await c.search({ keyword: '$Work' }, { uid: true });
        assert.equal(flagged.length, 10);
        const copy = await c.messageCopy('1:3', 'Sent', { uid: true });
        assert.deepEqual([...copy.uidMap.keys()], [1, 2, 3]);
        const moved = await c.messageMove('11:20', 'Work', { uid: true });
        assert.equal(moved.uidMap.size, 10);
        expectLeft(c, gone, 40);
        assert.ok(await c.messageDelete('21:30', { uid: true }));
        expectLeft(c, gone, 30);
        console.log('flags copy move delete');
    } finally {
        lock.release();
    }
    const status = await c.status('Work', { messages: true, unseen: true,
        uidNext: true, highestModseq: true });
    assert.equal(status.messages, 10);
    assert.equal(typeof status.highestModseq, 'bigint');
    const quota = await c.getQuota('INBOX');
    assert.equal(quota.storage.limit, 64 * 1024 * 1024);
    assert.equal(quota.message.usage, 43);
    console.log('status quota');
}

/* With QRESYNC it is told VANISHED, and does not count those. */
function expectLeft(c, gone, left) {
    assert.equal(gone.length, 50 - left);
    assert.ok(gone.every(e => e.vanished === qresync));
    if (!qresync)
        assert.equal(c.mailbox.exists, left);
}

/* Another session appends while this one idles. */
async function idling(c) {
    const other = client();
    await other.connect();
    await c.mailboxOpen('INBOX');
    const heard = new Promise(resolve => c.on('exists', resolve));
    const idle = c.idle();
    await new Promise(resolve => setImmediate(resolve));
    await other.append('INBOX', 'Subject: wake\r\n\r\nup\r\n');
    const event = await heard;
    assert.equal(event.count, 31);
    await c.noop();
    await idle;
    await other.logout();
    console.log('idle');
}

/* What changed while nobody looked comes at SELECT (QRESYNC). */
async function resync(c) {
    const before = await c.mailboxOpen('INBOX');
    const { uidValidity, highestModseq } = before;
    assert.ok(highestModseq > 0n);
    await c.messageFlagsAdd('1', ['\\Answered'], { uid: true });
    const changed = await all(c.fetch('1:*', { uid: true, flags: true },
        { uid: true, changedSince: highestModseq }));
    assert.deepEqual(changed.map(m => m.uid), [1]);
    const again = await c.mailboxOpen('INBOX');
    assert.equal(again.uidValidity, uidValidity);
    console.log('changed since');
}

(async () => {
    const c = client();
    await c.connect();
    assert.equal(c.enabled.has('QRESYNC'), qresync);
    await folders(c);
    await filing(c);
    await idling(c);
    await resync(c);
    await c.logout();
    console.log('done');
})().catch(error => {
    console.error(error);
    process.exit(1);
});
