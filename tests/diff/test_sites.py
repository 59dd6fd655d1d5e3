"""Blocks of restrictions that sites have, and what they must answer. (That
Postfix answers the same is test_same_verdict.py's.)"""
import pytest

from . import table_sites as sites

BY_ID = {talk.id: talk for group in sites.GROUPS for talk in group.talks}


def outcome(replies):
    """The code of RCPT, or of the refusal before it."""
    for reply in replies:
        if reply.code >= 400:
            return reply.code
    return replies[-2].code


@pytest.mark.parametrize(
    "talk, code", [(BY_ID[f"million/{name}"], code)
                   for name, _, code in sites.MILLION],
    ids=[name for name, _, _ in sites.MILLION])
def test_the_block_of_a_site_with_a_million_mails_a_day(talk, code, heard):
    assert outcome(heard[talk.id][0]) == code, heard[talk.id][0]


@pytest.mark.parametrize("talk", [BY_ID["million_sleeps/twenty seconds"]],
                         ids=["sleep 20"])
def test_the_site_with_a_million_mails_a_day_lets_strangers_wait(talk, heard):
    assert outcome(heard[talk.id][0]) == 250
    assert heard[talk.id][0][0].seconds > 19.5   # clocks


@pytest.mark.parametrize(
    "talk, code",
    [(BY_ID[f"classic_{name}/helo={helo}"], codes[i])
     for helo, codes in sites.CLASSIC_HELOS.items()
     for i, name in enumerate(sites.CLASSIC)],
    ids=[f"{name} {helo}" for helo in sites.CLASSIC_HELOS
         for name in sites.CLASSIC])
def test_the_classic_helo_table(talk, code, heard):
    assert outcome(heard[talk.id][0]) == code, heard[talk.id][0]
