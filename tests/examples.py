"""What several tests start from."""

from data.source import Source

SOURCE = Source(
    name="prices",
    kind="bundled",
    origin="made up",
    licence="none",
    first=None,
    last=None,
    rows=0,
    sha256="0" * 64,
)
