"""The connection of a site's company: what the database and the stand-in hold of it."""

from .waiting import wait_until


def get_connection(site):
    """Return the provider's columns that tell how the connection is."""
    (row,) = site.query(
        """
        SELECT provider.id, state, is_published,
               stripe_checkout_webhook_state AS webhook_state,
               stripe_checkout_problem AS problem,
               stripe_checkout_account_id AS account_id,
               stripe_checkout_key_hint AS key_hint,
               stripe_checkout_endpoint_id AS endpoint_id,
               stripe_checkout_disconnecting AS disconnecting,
               stripe_checkout_link_expiration AS link_expiration,
               stripe_checkout_link_custom_hours AS link_custom_hours,
               stripe_checkout_connected_at AS connected_at
          FROM payment_provider provider
          JOIN res_users users ON users.company_id = provider.company_id
         WHERE provider.code = 'stripe_checkout' AND users.login = 'billing'
        """
    )
    return row


def wait_health(site, state, problem=None):
    """Wait until the webhook is in a state of health."""
    wait_until(
        lambda: (
            (get_connection(site)['webhook_state'], get_connection(site)['problem'])
            == (state, problem)
        ),
        lambda: f"{state} {problem}: {get_connection(site)}",
    )


def call_action(site, name, *args, staff=None):
    """Call an action of the connection as the billing admin does; return its result."""
    staff = staff or site.staff
    return staff.call('payment.provider', name, [get_connection(site)['id']], *args)


def ensure_connected(site):
    """Connect the company to the stand-in's first account, as new, and wait for its event."""
    site.stripe.deliveries.release()
    connection = get_connection(site)
    if connection['connected_at'] and connection['account_id'] != site.stripe.account.id:
        call_action(site, 'action_stripe_checkout_disconnect', True)
    if not get_connection(site)['connected_at']:
        site.staff.connect_stripe(site.stripe.account)
    elif connection['webhook_state'] != 'confirmed':  # Whatever a test before has left.
        call_action(site, 'action_stripe_checkout_retry_webhook')
    wait_health(site, 'confirmed')
    return get_connection(site)


def get_endpoints(account):
    """Return the ids of the webhook endpoints of an account of the stand-in."""
    return [endpoint['id'] for endpoint in account.store.newest_first('webhook_endpoint')]


def get_messages(site):
    """Return what the connection's chatter says, with every tracked value."""
    connection = get_connection(site)
    return site.query(
        """
           SELECT message.body, users.login, field.name AS field,
                  tracking.old_value_char, tracking.new_value_char,
                  tracking.old_value_integer, tracking.new_value_integer
             FROM mail_message message
        LEFT JOIN mail_tracking_value tracking ON tracking.mail_message_id = message.id
        LEFT JOIN ir_model_fields field ON field.id = tracking.field_id
        LEFT JOIN res_users users ON users.partner_id = message.author_id
            WHERE message.model = 'payment.provider' AND message.res_id = %s
         ORDER BY message.id
        """,
        connection['id'],
    )
