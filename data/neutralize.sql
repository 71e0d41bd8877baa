-- A copy of the database must not take payments, nor move the webhooks of the original.
DELETE FROM stripe_checkout_secret;
DELETE FROM stripe_checkout_connect;
UPDATE payment_provider
   SET state = 'disabled',
       is_published = FALSE,
       stripe_checkout_base_url = NULL,
       stripe_checkout_endpoint_id = NULL,
       stripe_checkout_former_endpoint_id = NULL,
       stripe_checkout_endpoint_url = NULL,
       stripe_checkout_enabled_events = NULL,
       stripe_checkout_connected_at = NULL,
       stripe_checkout_disconnecting = NULL,
       stripe_checkout_paused_until = NULL,
       stripe_checkout_problem = NULL,
       stripe_checkout_webhook_state = 'none'
 WHERE code = 'stripe_checkout';
