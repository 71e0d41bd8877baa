"""A payment link behind the scenes: its address where it leads no further, its end, its mails."""

import re

from .waiting import wait_until


def get_link_url(site, invoice):
    """Return the address of an invoice's first link; staff read it only while it can be paid."""
    (row,) = site.query(
        """
          SELECT token
            FROM stripe_payment_link link
            JOIN stripe_payment_link_move_rel rel ON rel.link_id = link.id
           WHERE rel.move_id = %s
        ORDER BY link.id
           LIMIT 1
        """,
        invoice.id,
    )
    return f'{site.url}/pay/{row["token"]}'


def expire(site, invoice):
    """Move the end of an invoice's links into the past."""
    site.execute(
        """
        UPDATE stripe_payment_link link
           SET expires_at = (now() - interval '1 hour') AT TIME ZONE 'UTC'
          FROM stripe_payment_link_move_rel rel
         WHERE rel.link_id = link.id AND rel.move_id = %s
        """,
        invoice.id,
    )


def read_renewed_url(site, invoice):
    """Wait for the mail with a new link of an invoice; return the address in it."""
    query = """
        SELECT body_html
          FROM mail_mail mail
          JOIN mail_message message ON message.id = mail.mail_message_id
         WHERE message.model = 'account.move' AND message.res_id = %s
    """
    (mail,) = wait_until(lambda: site.query(query, invoice.id), "the mail is written")
    (url,) = set(re.findall(rf'{re.escape(site.url)}/pay/[\w-]+', mail['body_html']))
    return url
