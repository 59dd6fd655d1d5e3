"""Everything that asks DNS for more than the client's name."""
from .talk import Group

GROUPS = []


def group(name, **settings):
    GROUPS.append(Group(name, **settings))
    return GROUPS[-1]


DOMAINS = ["good.example", "www.good.example", "six.good.example",
           "mxlo.good.example", "mxzero.good.example", "mxnone.good.example",
           "mxip.good.example", "mxsome.good.example", "nullmx.good.example",
           "nullmxa.good.example", "alias.good.example",
           "chain.good.example", "dangling.good.example",
           "loop1.good.example", "txtonly.good.example",
           "x.wild.good.example", "nosuch.good.example", "nosuch.example",
           "x.broken.example", "mxbroken.good.example", "a.example",
           "[192.0.2.10]", "[1.2.3]", "bogus", "under_score.good.example",
           "lo.good.example"]
SLOW = ["x.silent.example", "mxsilent.good.example"]
