"""football-data's files in small, for tests to bend."""

from __future__ import annotations

ODDS = "Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR,"


def file(*rows: str, header: str = "Div,Date,Time,HomeTeam,AwayTeam,FTHG,FTAG,FTR", end: str = "\r\n") -> bytes:
    return end.join([header, *rows, ""]).encode()
