from . import billing, pay, pay_ended, portal, webhook
