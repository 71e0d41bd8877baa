"""Control routes of :class:`facade_money.Money`: refunds, disputes, payouts, other movements."""


def _call(name):
    return lambda world, **arguments: getattr(world, name)(**arguments)


def _call_for_account(name):
    """Return an action whose ``account`` is an id."""

    def act(world, account=None, **arguments):
        found = world.accounts.get(account) if account else world.account
        if found is None:
            raise ValueError(f"No such account: {account}")
        return getattr(world, name)(**arguments, account=found)

    return act


_OBJECTS = {
    "refund": "refund from the Dashboard: paid_id, amount, reason",
    "settle_refund": "a refund succeeds: refund_id",
    "fail_refund": "a refund fails, the money comes back: refund_id, reason",
    "cancel_refund": "cancel a refund that requires action: refund_id",
    "dispute": "dispute a payment: paid_id, amount, reason, inquiry",
    "return_debit": "a bank takes a debit back after success: paid_id, reason",
    "escalate_dispute": "an inquiry becomes a chargeback: dispute_id",
    "review_dispute": "hand in evidence: dispute_id",
    "win_dispute": "the money comes back: dispute_id, return_fee",
    "lose_dispute": "the money stays away: dispute_id",
    "reinstate_dispute": "money comes back after a loss: dispute_id, amount",
    "close_inquiry": "an inquiry ends without a chargeback: dispute_id",
    "reconcile_payout": "complete an automatic payout's list: payout_id",
    "send_payout": "a payout is in transit: payout_id",
    "settle_payout": "a payout arrives: payout_id",
    "fail_payout": "a payout comes back: payout_id, code",
    "cancel_payout": "cancel a payout that was asked for: payout_id",
}
_ACCOUNTS = {
    "pay_out": "pay out all that is available: currency (all by default), account",
    "charge_stripe_fee": "Stripe charges: amount, description, currency, account",
    "add_balance_movement": "any other movement: type, amount, currency, description, account",
}

ACTIONS = {
    **{name: (_call(name), text) for name, text in _OBJECTS.items()},
    **{name: (_call_for_account(name), text) for name, text in _ACCOUNTS.items()},
}
