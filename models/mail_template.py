from odoo import models


class MailTemplate(models.Model):
    _inherit = 'mail.template'

    def _generate_template_attachments(self, res_ids, render_fields, render_results=None):
        """Override of `mail` to write a mail without its report, where no PDF can be made."""
        if self.env.context.get('stripe_checkout_without_report'):
            render_fields = [name for name in render_fields if name != 'report_template_ids']
        return super()._generate_template_attachments(
            res_ids, render_fields, render_results=render_results
        )
