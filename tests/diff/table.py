"""All groups of dialogues, and what they need of both servers."""
from . import (table_access, table_chain, table_client, table_dns,
               table_form, table_limits, table_peers, table_session,
               table_told)

_PARTS = [table_form, table_client, table_access, table_chain, table_session,
          table_dns, table_limits, table_peers, table_told]

GROUPS = [group for part in _PARTS for group in part.GROUPS]
# Files that tables are read from.
TABLES = {name: text for part in _PARTS
          for name, text in getattr(part, "TABLES", {}).items()}
# Settings of the main part, of one server only.
EXTRA = {server: {k: v for part in _PARTS
                  for k, v in getattr(part, "EXTRA", {}).get(server,
                                                             {}).items()}
         for server in ("postfix", "postern")}
