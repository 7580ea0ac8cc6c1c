"""How fast we are beside somebody who does the bare minimum: whole processes, the same files, the same disk."""
