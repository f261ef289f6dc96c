"""What a vendor says is held against sense before it is believed: pure rules, one file for each kind of data."""
