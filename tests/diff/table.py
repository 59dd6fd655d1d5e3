"""All groups of dialogues, and what they need of both servers: what is in the
files table_*.py here."""
import importlib
import pathlib

_PARTS = [importlib.import_module(f".{path.stem}", __package__)
          for path in sorted(pathlib.Path(__file__).parent.glob("table_*.py"))]

GROUPS = [group for part in _PARTS for group in part.GROUPS]
# Files that tables are read from.
TABLES = {name: text for part in _PARTS
          for name, text in getattr(part, "TABLES", {}).items()}
# Settings of the main part, of one server only.
EXTRA = {server: {k: v for part in _PARTS
                  for k, v in getattr(part, "EXTRA", {}).get(server,
                                                             {}).items()}
         for server in ("postfix", "postern")}
