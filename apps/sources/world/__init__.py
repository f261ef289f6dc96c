"""The recorded world: a small server that plays real recorded markets in the vendors' own wire formats.

One process, `python -m apps.sources.world --port N`. The adapters talk to it over real HTTP and cannot tell the difference:

    recording.py   the order books and settlements of 18 real markets, loaded column by column
    tape.py        the daily series, played as one bar every so often
    timeline.py    recorded time <-> wire time, so that "now" is now
    world.py       these together: what has happened by now
    gamma*.py clob.py yahoo.py status.py   what each vendor would answer
    fault*.py                              what may go wrong on demand: `--faults FILE`, `/_world/faults`
    server.py state.py options.py          the process: listen, keep the place on disk, stop

Only what has happened is served. Nothing here imports Django.
"""
