"""One address for one article, whatever the visitor's device and the campaign that brought him. Pure.

Taken away: the scheme's and the host's case, `www.`, `m.`, `mobile.` and `amp.` in front of the host, a default port, a
login, the fragment, AMP's marks in the path, a slash at the end, and parameters that only say where a reader came from.
What is left of the parameters is sorted, since their order means nothing.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import parse_qsl, urlencode, urlsplit

HOST_PREFIX = re.compile(r"^(?:www|m|mobile|amp)\.(?=[^.]+\.)")
AMP_PATH = re.compile(r"(?:/amp|\.amp|/amp\.html)$|(?<=\.)amp\.(?=html?$)|^/amp(?=/)")
DEFAULT_PORTS = {"http": 80, "https": 443}
TRACKING_PREFIXES = ("utm_", "at_", "ns_", "pk_", "mtm_", "hsa_")
TRACKING = frozenset(
    {"fbclid", "gclid", "gclsrc", "dclid", "msclkid", "twclid", "yclid", "igshid", "mc_cid", "mc_eid", "_ga", "_gl", "ref"}
    | {"ref_src", "referrer", "cmpid", "cmp", "ncid", "icid", "cid", "smid", "smtyp", "partner", "guccounter", "guce_referrer"}
    | {"guce_referrer_sig", "amp", "outputtype", "oc", "ved", "usg", "sh", "spm", "xtor", "taid", "share", "rss", "feature"}
)


def canonical_url(url: str) -> str:
    """Return the address under which an article is known, whichever form of it is given: to compare by, not to visit."""
    parts = urlsplit(url)
    host = HOST_PREFIX.sub("", (parts.hostname or "").rstrip("."))
    port = f":{parts.port}" if parts.port and parts.port != DEFAULT_PORTS.get(parts.scheme) else ""
    path = AMP_PATH.sub("", re.sub(r"/{2,}", "/", parts.path).rstrip("/")).rstrip("/")
    telling = sorted((name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _is_tracking(name))
    query = f"?{urlencode(telling)}" if telling else ""
    return f"https://{host}{port}{path}{query}"


def digest_of(url: str) -> str:
    """Return the fingerprint of an article's canonical address."""
    return hashlib.sha256(canonical_url(url).encode("utf-8", "replace")).hexdigest()


def _is_tracking(name: str) -> bool:
    return name.lower() in TRACKING or name.lower().startswith(TRACKING_PREFIXES)
