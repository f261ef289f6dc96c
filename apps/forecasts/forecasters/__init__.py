"""Pure forecasters: numbers in, opinions out; no clock, no database, no framework."""
