"""Edge net of ask and fee, behind the gate."""
