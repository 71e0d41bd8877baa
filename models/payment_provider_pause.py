"""No payment is taken while the pages of clients are being closed to leave a connection."""

from contextlib import contextmanager
from datetime import timedelta

from odoo import fields, models
from odoo.exceptions import ConcurrencyError, UserError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

# Where a worker dies over it, payments are taken again by themselves. Longer than Odoo lets a
# request take (`limit_time_real`, 120 seconds unless it is set).
PAUSE = timedelta(minutes=10)


class PaymentProvider(models.Model):
    _inherit = 'payment.provider'

    stripe_checkout_paused_until = fields.Datetime(
        string="Payments Paused Until",
        help="No new payment is taken while the open payment pages are being closed.",
        readonly=True,
        copy=False,
    )

    def _stripe_checkout_is_paused(self):
        """Tell whether no payment is taken because the open pages are being closed.

        :rtype: bool
        """
        end = self.stripe_checkout_paused_until
        return bool(end) and end > fields.Datetime.now()

    @contextmanager
    def _stripe_checkout_pausing(self):
        """Take no payments while the connection is left, until what is done here is committed.

        Closing the open pages takes Stripe some time. Whoever opens one meanwhile would not be
        seen, and could pay what nobody books: after the commit that this begins with visitors see
        that they cannot, and what those before them have begun is seen here. Where what is done
        here fails, payments are taken again; but where somebody else was faster, Odoo runs the
        request again, and the pause goes on.

        :raise UserError: If it took longer than the pause: a page opened since is not seen here.
        """
        until = fields.Datetime.now() + PAUSE
        self._stripe_checkout_pause(until)
        try:
            yield
            if fields.Datetime.now() >= until:
                raise UserError(
                    self.env._(
                        "Closing the open payment pages took too long, and clients can pay again. "
                        "Stripe stays connected as it was; try it once more."
                    )
                )
            self.stripe_checkout_paused_until = False
            self.env.flush_all()  # What the database refuses is refused here.
        except (*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, ConcurrencyError):
            raise
        except Exception:
            self.env.cr.rollback()
            self._stripe_checkout_pause(False)
            raise

    def _stripe_checkout_pause(self, until):
        """Take no payments until a moment, for everybody from here on.

        :param datetime|bool until: The moment, UTC; False to take them again.
        """
        self.stripe_checkout_paused_until = until
        self.env.cr.commit()  # pylint: disable=invalid-commit
