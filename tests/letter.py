"""A mail as its reader has it."""

import re

from lxml import html

from odoo.tools import html2plaintext

HIDDEN = re.compile(r'display:\s*none')


class Letter:
    """A mail that was written, read as HTML and as plain text.

    :param mail.mail mail: The mail, in sudo mode.
    """

    def __init__(self, mail):
        self.mail = mail
        self.subject = mail.subject
        self.attachments = mail.attachment_ids
        self.html = html.fromstring(str(mail.body_html))
        self.plain = html2plaintext(mail.body_html).replace('\N{NO-BREAK SPACE}', ' ')
        for node in self.html.xpath('//*[@style]'):
            if HIDDEN.search(node.get('style')):
                node.drop_tree()
        self.text = ' '.join(self.html.text_content().split())

    def get_links(self, part):
        """Return the addresses in the mail that contain a part."""
        return [href for href in self.html.xpath('//a/@href') if part in href]

    def get_button(self):
        """Return text and address of the button that pays."""
        [button] = self.html.xpath("//td/a[contains(@href, '/pay/')]")
        return ' '.join(button.text_content().split()), button.get('href')

    def get_colors(self):
        """Return what is coloured in the mail, but for the button: dark mode could not read it."""
        styles = [
            node.get('style')
            for node in self.html.xpath('//*[@style]')
            if node.tag != 'a' and not node.xpath('./a')
        ]
        return [style for style in styles if re.search(r'(?<![\w-])(color|background)', style)]
