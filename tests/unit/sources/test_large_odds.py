"""An answer of 80 MB is read in little more memory than its own: measured in a process that does nothing else."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.architecture.houses import ROOT

MEGABYTES = 80
PROGRAM = f"""
import json, sys
from datetime import UTC, datetime
import django
django.setup()
from apps.sources.vendors.goalserve import feed
from tests.factories.goalserve import answer, bookmaker, market, match, odd

def peak():
    # Not ru_maxrss: that begins with what the process had before its exec, the memory of the tests.
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024

scores = [odd(**{{f"{{home}}:{{away}}": "7.5" for home in range(6) for away in range(4)}}) for _ in range(4)]
others = [market(f"Correct Score {{n}}", bookmakers=[bookmaker(str(k), odds=scores[k]) for k in range(4)]) for n in range(25)]
winner = market(bookmakers=[bookmaker(f"book {{n}}", odds=odd(Home="1.85", Draw="3.5", Away="4.2")) for n in range(15)])
one = json.dumps(match(winner, *others)).encode()
frame = json.dumps(answer("MATCHES")).encode().split(b'"MATCHES"')
count = {MEGABYTES} * 1024 * 1024 // (len(one) + 1)
body = b",".join([frame[0] + one, *[one] * (count - 2), one + frame[1]])  # one allocation: no second copy before
del others, winner, scores
before = peak()
gathered = feed.read_odds(body, datetime.fromtimestamp(1_757_566_950, tz=UTC))
after = peak()
whole = None
if sys.argv[1] == "whole":
    whole = json.loads(body)
print(json.dumps([len(body), count, len(gathered.records), len(gathered.rejected), after - before, peak() - before]))
"""


def test_eighty_megabytes_are_read_in_a_fraction_of_what_they_would_take_whole():
    done = subprocess.run([sys.executable, "-c", PROGRAM, "whole"], cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    size, count, records, rejected, grown_mb, whole_mb = json.loads(done.stdout)
    assert size > (MEGABYTES - 1) * 1024 * 1024
    assert (records, rejected) == (count, 0)
    assert whole_mb > 300  # what the same body takes as a tree of objects
    assert grown_mb < 40
    assert grown_mb < whole_mb / 5
