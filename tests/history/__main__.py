"""Write notes/history.md."""

from __future__ import annotations

from .rows import PAGE, page

PAGE.write_text("\n".join(page()) + "\n")
