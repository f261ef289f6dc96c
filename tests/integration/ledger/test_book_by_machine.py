"""Random days of a book against a model of it: entries, holds, reversals, repeats."""

import pytest
from django.db import transaction
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from apps.ledger import selectors
from apps.ledger.errors import AlreadyReversed, HoldEnded, InsufficientFunds
from tests.integration.ledger.conftest import open_book

CODES = ("cash", "positions", "fees", "capital")
amounts = st.integers(1, 1_500)


class BookMachine(RuleBasedStateMachine):
    """Every rule acts on the book and on plain numbers; the invariants hold them against each other."""

    entries = Bundle("entries")
    holds = Bundle("holds")

    def __init__(self):
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()

    def teardown(self):
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)

    @initialize()
    def open(self):
        self.book = open_book("machine")
        self.balances = dict.fromkeys(CODES, 0)
        self.held = {}
        self.reversed = set()
        self.steps = 0

    def available(self):
        return self.balances["cash"] - sum(self.held.values())

    def apply(self, to, out_of, amount):
        self.balances[to] += amount
        self.balances[out_of] -= amount

    @rule(target=entries, to=st.sampled_from(CODES), out_of=st.sampled_from(CODES), amount=amounts)
    def move(self, to, out_of, amount):
        self.steps += 1
        reference = f"move:{self.steps}"
        if out_of == "cash" and to != "cash" and amount > self.available():
            with pytest.raises(InsufficientFunds):
                self.book.move(reference, to, out_of, amount)
            return None
        entry = self.book.move(reference, to, out_of, amount)
        self.apply(to, out_of, amount)
        return (entry, to, out_of, amount)

    @rule(known=entries)
    def move_again(self, known):
        if known is not None:
            entry, to, out_of, amount = known
            assert self.book.move(entry.reference, to, out_of, amount).id == entry.id

    @rule(known=entries)
    def reverse(self, known):
        if known is None:
            return
        entry, to, out_of, amount = known
        self.steps += 1
        reference = f"undo:{self.steps}"
        if entry.id in self.reversed:
            with pytest.raises(AlreadyReversed):
                self.book.reverse(entry.id, reference)
        elif to == "cash" and out_of != "cash" and amount > self.available():
            with pytest.raises(InsufficientFunds):
                self.book.reverse(entry.id, reference)
        else:
            self.book.reverse(entry.id, reference)
            self.reversed.add(entry.id)
            self.apply(out_of, to, amount)

    @rule(target=holds, amount=amounts)
    def hold(self, amount):
        self.steps += 1
        reference = f"hold:{self.steps}"
        if amount > self.available():
            with pytest.raises(InsufficientFunds):
                self.book.hold(reference, amount)
            return None
        hold = self.book.hold(reference, amount)
        self.held[hold.id] = amount
        return hold

    @rule(hold=holds, is_capture=st.booleans())
    def end(self, hold, is_capture):
        if hold is None:
            return
        end, other = (self.book.capture, self.book.void) if is_capture else (self.book.void, self.book.capture)
        if hold.id in self.held:
            end(hold.id)
            del self.held[hold.id]
            with pytest.raises(HoldEnded):
                other(hold.id)
        else:
            state = selectors.get_hold(hold.id).state
            if state == ("captured" if is_capture else "voided"):
                end(hold.id)
            else:
                with pytest.raises(HoldEnded):
                    end(hold.id)

    @invariant()
    def balances_equal_the_model(self):
        if hasattr(self, "book"):
            assert self.book.balances() == self.balances
            cash = self.book.account("cash")
            assert cash.held_minor == sum(self.held.values())
            assert cash.available_minor == self.available() >= 0

    @invariant()
    def the_books_verify(self):
        if hasattr(self, "book"):
            assert selectors.verify_books().differences == ()
            lines = selectors.trial_balance(self.book.tenant_id)
            assert sum(line.debit_minor for line in lines) == sum(line.credit_minor for line in lines)


@pytest.mark.django_db
def test_a_book_never_differs_from_its_model():
    how = hypothesis_settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(BookMachine, settings=how)
