"""Reception: DRF."""
