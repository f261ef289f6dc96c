"""One folder a vendor, all of one shape; reached through `apps.sources.registry` alone.

`client.py` knows paths and parameters, `wire.py` the vendor's own words and types, `feed.py` turns them into the
desk's records, `check.py` asks the live vendor one small question. A new vendor copies a folder.
"""
