"""Figures as ratios: ours against a peer or a floor, interleaved in one run, median of several, printed as JSON."""
