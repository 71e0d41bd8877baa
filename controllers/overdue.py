from odoo.exceptions import ValidationError
from odoo.http import request, route

from odoo.addons.account_payment.controllers.payment import PaymentPortal


class OverdueController(PaymentPortal):
    """What is overdue, paid at once by Odoo's own page with other providers."""

    @route()
    def overdue_invoices_transaction(self, *args, **kwargs):
        """Override of `account_payment`, which counts on what its page has shown.

        :raise ValidationError: If all of it is paid, or on its way, by now.
        """
        moves = request.env['account.move']
        if moves.has_access('read') and not moves.search_count(
            self._get_overdue_invoices_domain(), limit=1
        ):
            raise ValidationError(request.env._("Nothing is overdue any more."))
        return super().overdue_invoices_transaction(*args, **kwargs)
