"""Postern and Postfix, asked the same with the same lines, answer the same
codes and enhanced codes."""
import re

import pytest

from . import known, table

TALKS = [talk for group in table.GROUPS for talk in group.talks]


def plain(text):
    """A text without what is each server's own."""
    text = re.sub(r"queued as \w+", "queued as ID", text)
    text = text.replace("Postern", "MTA").replace("Postfix", "MTA")
    return text


def note_texts(talk, ours, theirs):
    for step, a, b in zip(talk.steps(), ours, theirs):
        a, b = plain(str(a)), plain(str(b))
        if a != b and not step.startswith(("EHLO", "HELP")):
            known.texts.setdefault((a, b), f"{talk.id}: {step}")


def report(talk, ours, theirs):
    lines = [talk.id, f"client {talk.client}",
             *(f"  {k} = {v}" for k, v in talk.group.settings.items())]
    for i, step in enumerate(talk.steps()):
        a = ours[i] if i < len(ours) else None
        b = theirs[i] if i < len(theirs) else None
        if a is None and b is None:
            break
        same = a and b and a.verdict() == b.verdict()
        lines.append(f"{'  ' if same else '! '}{step}")
        lines.append(f"      Postern: {a}")
        if not same:
            lines.append(f"      Postfix: {b}")
    return "\n".join(lines)


@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: talk.id)
def test_same_verdict(talk, heard):
    ours, theirs = heard[talk.id]
    if ours is None:
        known.unbuilt(talk, theirs)
    equal = [s.verdict() for s in ours] == [s.verdict() for s in theirs]
    if equal:
        note_texts(talk, ours, theirs)
    why = known.KNOWN.get(talk.id)
    wait = not equal and not why and known.pending(talk)
    known.tally["equal" if equal else "known" if why else
                "pending" if wait else "differ"] += 1
    if equal and why:
        pytest.fail(f"{talk.id} no longer differs: take it out of known.py",
                    pytrace=False)
    if wait:
        pytest.skip(report(talk, ours, theirs))
    if not equal and not why:
        pytest.fail(report(talk, ours, theirs), pytrace=False)


def test_names_are_unique_and_known_ones_exist():
    ids = [talk.id for talk in TALKS]
    assert len(ids) == len(set(ids))
    assert set(known.KNOWN) <= set(ids)
    assert set(known.KNOWN.values()) <= set(known.REASONS)


# Every restriction that Postfix 3.7 to 3.12 knows, by list.
POSTFIX = """
permit reject defer defer_if_permit defer_if_reject sleep
reject_unauth_pipelining reject_plaintext_session
reject_multi_recipient_bounce check_policy_service

permit_mynetworks permit_inet_interfaces permit_sasl_authenticated
permit_tls_clientcerts permit_tls_all_clientcerts permit_dnswl_client
permit_rhswl_client reject_rbl_client reject_rhsbl_client
reject_rhsbl_reverse_client reject_unknown_client_hostname
reject_unknown_reverse_client_hostname reject_unknown_forward_client_hostname
check_client_access check_client_a_access check_client_mx_access
check_client_ns_access check_reverse_client_hostname_access
check_reverse_client_hostname_a_access check_reverse_client_hostname_mx_access
check_reverse_client_hostname_ns_access check_ccert_access check_sasl_access

reject_invalid_helo_hostname reject_non_fqdn_helo_hostname
reject_unknown_helo_hostname reject_rhsbl_helo check_helo_access
check_helo_a_access check_helo_mx_access check_helo_ns_access
permit_naked_ip_address reject_invalid_hostname reject_non_fqdn_hostname
reject_unknown_hostname

reject_non_fqdn_sender reject_unknown_sender_domain reject_unlisted_sender
reject_unverified_sender reject_rhsbl_sender reject_sender_login_mismatch
reject_authenticated_sender_login_mismatch reject_known_sender_login_mismatch
reject_unauthenticated_sender_login_mismatch check_sender_access
check_sender_a_access check_sender_mx_access check_sender_ns_access

permit_auth_destination permit_mx_backup reject_unauth_destination
defer_unauth_destination reject_non_fqdn_recipient
reject_unknown_recipient_domain reject_unlisted_recipient
reject_unverified_recipient reject_rhsbl_recipient check_recipient_access
check_recipient_a_access check_recipient_mx_access check_recipient_ns_access
check_etrn_access

check_relay_domains check_recipient_maps reject_maps_rbl reject_rbl
reject_unknown_client reject_unknown_address
""".split()


def names_of(group):
    """The words of the group's lists, and so its restrictions."""
    return set(re.findall(r"[a-z_]+", " ".join(
        str(v) for k, v in group.settings.items() if k.endswith(
            "_restrictions"))))


def test_every_restriction_accepts_and_refuses(request, heard, pair):
    """Over the wire: with each name there is a dialogue that ends well, and
    one with a refusal."""
    if len(heard) < len(TALKS):
        pytest.skip("not all dialogues were held")
    man = pair.postern.postern("config", "man", "restrictions").stdout
    ours = [n for n in re.findall(r"^\.It Ic (\w+)", man, re.M)
            if n not in known.POSTERN_ONLY]
    good, bad = set(), set()
    for talk in TALKS:
        replies = heard[talk.id][0]
        if replies is not None:
            refused = any(reply.code >= 400 for reply in replies)
            (bad if refused else good).update(names_of(talk.group))
    known.coverage = [(name, name in good, name in bad) for name in ours]
    assert {n for n in ours if n not in good} == known.NEVER_WELL
    assert " ".join(n for n in ours if n not in bad) == ""
    missing = sorted(set(POSTFIX) - set(ours))
    assert missing == []
