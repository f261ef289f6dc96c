"""What Gamma says of every recorded market alike: flags, fees, reward terms, and the volumes that the recording lacks."""

from __future__ import annotations

from typing import Any

Wire = dict[str, Any]

SLOT_S = 900  # the windows of the recorded questions follow one another every 15 minutes
EVENT_ID_OFFSET = 1_900_000
RESOLUTION_SOURCE = "https://data.chain.link/streams/btc-usd"
DESCRIPTION = (
    'Pays "Up" when Bitcoin stands at or above its opening price at the end of the window in the title, "Down" when below. '
    "Order books and result are a recording of a real market (data: Resolved Markets, CC BY 4.0), moved to the present."
)
FLAGS: Wire = {
    "active": True,
    "approved": True,
    "archived": False,
    "automaticallyActive": True,
    "clearBookOnStart": False,
    "cyom": False,
    "deploying": False,
    "enableOrderBook": True,
    "featured": False,
    "funded": False,
    "hasReviewedDates": True,
    "holdingRewardsEnabled": False,
    "manualActivation": False,
    "negRisk": False,
    "negRiskOther": False,
    "new": False,
    "pagerDutyNotificationEnabled": False,
    "pendingDeployment": False,
    "ready": False,
    "requiresTranslation": False,
    "restricted": True,
    "rfqEnabled": False,
    "showGmpOutcome": False,
    "showGmpSeries": False,
}
TERMS: Wire = {
    "feesEnabled": True,
    "feeType": "crypto_fees_v2",
    "feeSchedule": {"rate": 0.07, "exponent": 1, "takerOnly": True, "rebateRate": 0.2},
    "makerBaseFee": 1000,
    "takerBaseFee": 1000,
    "makerRebatesFeeShareBps": 10000,
    "orderMinSize": 5,
    "rewardsMinSize": 50,
    "rewardsMaxSpread": 4.5,
}
NO_VOLUME: Wire = {"volume": "0", "volumeNum": 0.0, "volumeClob": 0.0} | {
    f"volume{span}{venue}": 0.0 for span in ("24hr", "1wk", "1mo", "1yr") for venue in ("", "Clob")
}
EVENT_FLAGS: Wire = {
    "active": True,
    "archived": False,
    "automaticallyActive": True,
    "commentCount": 0,
    "cumulativeMarkets": False,
    "cyom": False,
    "deploying": False,
    "enableNegRisk": False,
    "enableOrderBook": True,
    "featured": False,
    "negRisk": False,
    "negRiskAugmented": False,
    "new": False,
    "openInterest": 0,
    "pendingDeployment": False,
    "requiresTranslation": False,
    "restricted": True,
    "showAllOutcomes": True,
    "showMarketImages": True,
    "volume": 0.0,
    "volume24hr": 0.0,
    "volume1wk": 0.0,
    "volume1mo": 0.0,
    "volume1yr": 0.0,
}
