"""Forecasts (append-only), the weights that pool model and price, and the scores and judgements of what has resolved."""

from django.db import models

from apps.core.models import PrefixedIdField, price_field


class PoolWeights(models.Model):
    """Published weights of one group: w is the measured value of our model, b the bias; both start at 0."""

    id = PrefixedIdField(prefix="wgt")
    source = models.CharField(max_length=30)
    category = models.CharField(max_length=40)
    horizon = models.CharField(max_length=20)
    w = models.FloatField(default=0.0)
    b = models.FloatField(default=0.0)
    trained_on = models.IntegerField(default=0, help_text="resolved questions used")
    made_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("source", "category", "horizon", "-made_at"), name="forecast_weights_newest"),)

    def __str__(self) -> str:
        return f"{self.source}/{self.category}/{self.horizon} w={self.w}"


class Forecast(models.Model):
    """One opinion at one moment about one market's first outcome (binary) or price (linear). Append-only."""

    id = PrefixedIdField(prefix="fct")
    market = models.ForeignKey("markets.Market", on_delete=models.PROTECT, related_name="+")
    outcome = models.ForeignKey("markets.Outcome", on_delete=models.PROTECT, related_name="+")
    as_of = models.DateTimeField()
    source = models.CharField(max_length=30)
    category = models.CharField(max_length=40)
    horizon = models.CharField(max_length=20, help_text="bucket of the time to the scheduled close")
    model = models.CharField(max_length=60, help_text="name and version of the model behind p_model")
    p_model = price_field(null=True)
    p_price = price_field(null=True)
    p_base = price_field(null=True)
    p_final = price_field(null=True)
    p_low = price_field(null=True, help_text="interval of p_final")
    p_high = price_field(null=True)
    bid = price_field(null=True)
    ask = price_field(null=True)
    price_age_s = models.FloatField(null=True)
    is_price_stale = models.BooleanField(default=False)
    value = price_field(null=True, help_text="linear markets: expected price")
    value_low = price_field(null=True)
    value_high = price_field(null=True)
    value_price = price_field(null=True, help_text="linear markets: the price of the instant")
    scheduled_close_at = models.DateTimeField()
    inputs_digest = models.CharField(max_length=64)
    inputs = models.JSONField(default=dict)
    commitment = models.CharField(max_length=64, help_text="digest over its batch, as written to the audit log at once")
    weights = models.ForeignKey(PoolWeights, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        indexes = (
            models.Index(fields=("market", "-as_of"), name="forecast_newest_of_market"),
            models.Index(fields=("-as_of",), name="forecast_newest"),
        )
        ordering = ("-as_of", "-id")

    def __str__(self) -> str:
        return f"{self.market_id} {self.p_final or self.value}"


class Score(models.Model):
    """The judgement of one forecast against the outcome and against the price of its instant."""

    forecast = models.OneToOneField(Forecast, primary_key=True, on_delete=models.CASCADE, related_name="score")
    result_id = models.CharField(max_length=40, help_text="the result it was judged by; a restated one judges again")
    market = models.ForeignKey("markets.Market", on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=30)
    category = models.CharField(max_length=40)
    horizon = models.CharField(max_length=20)
    payout = price_field(help_text="payout of the outcome, or the closing price of a linear market")
    brier = models.FloatField(null=True)
    brier_price = models.FloatField(null=True)
    log_loss = models.FloatField(null=True)
    log_loss_price = models.FloatField(null=True)
    log_loss_model = models.FloatField(null=True)
    log_loss_base = models.FloatField(null=True)
    error = models.FloatField(null=True, help_text="linear: forecast minus outcome, relative to the price")
    error_price = models.FloatField(null=True)
    scored_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("source", "category", "horizon"), name="score_group"),)

    def __str__(self) -> str:
        return f"score of {self.forecast_id}"


class Judgement(models.Model):
    """That a result has been judged: all forecasts of its market have their scores by it. Written once per result."""

    result_id = models.CharField(primary_key=True, max_length=40)
    market = models.ForeignKey("markets.Market", on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=30)
    category = models.CharField(max_length=40)
    kind = models.CharField(max_length=8)
    payout = price_field(null=True, help_text="payout of the first outcome of a binary market; none when void or linear")
    forecasts = models.IntegerField(help_text="how many were scored; none by a void result")
    observed_at = models.DateTimeField()
    judged_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("-observed_at",), name="judgement_newest"),)

    def __str__(self) -> str:
        return f"judged by {self.result_id}"
