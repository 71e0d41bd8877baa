from . import billing, overdue, pay, pay_ended, portal, webhook
