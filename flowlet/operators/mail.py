"""E-mail: a function for callbacks, and an operator (Airflow 2: utils/email.py, operators/email.py).

The server is told by the settings `FLOWLET__SMTP__...`, or `AIRFLOW__SMTP__...`: SMTP_HOST (localhost), SMTP_PORT
(25), SMTP_STARTTLS (true), SMTP_SSL (false), SMTP_USER, SMTP_PASSWORD, SMTP_MAIL_FROM (airflow@example.com),
SMTP_TIMEOUT (30 seconds).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flowlet import settings
from flowlet.authoring.operator import BaseOperator

if TYPE_CHECKING:
    from email.message import EmailMessage

    from flowlet.authoring.context import Context


def send_email(
    to: str | Iterable[str],
    subject: str,
    html_content: str,
    files: Sequence[str] | None = None,
    dryrun: bool = False,
    cc: str | Iterable[str] | None = None,
    bcc: str | Iterable[str] | None = None,
    mime_subtype: str = "mixed",  # noqa: ARG001  Airflow's
    mime_charset: str = "utf-8",
    conn_id: str | None = None,  # noqa: ARG001  Airflow's; the server is told by settings
    custom_headers: Mapping[str, str] | None = None,
    **_: Any,
) -> None:
    """Send it; whatever the server refuses is raised."""
    message, recipients = message_of(
        None, to, subject, html_content, files=files, cc=cc, bcc=bcc, mime_charset=mime_charset, custom_headers=custom_headers
    )
    if not dryrun:
        _send(message, recipients)


def message_of(
    mail_from: str | None, to: str | Iterable[str], subject: str, html_content: str, files: Sequence[str] | None = None,
    cc: str | Iterable[str] | None = None, bcc: str | Iterable[str] | None = None, mime_subtype: str = "mixed",  # noqa: ARG001  as above
    mime_charset: str = "utf-8", custom_headers: Mapping[str, str] | None = None,
) -> tuple[EmailMessage, list[str]]:  # fmt: skip
    """The message, and all to whom it goes."""
    from email.message import EmailMessage
    from mimetypes import guess_type

    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())
    message["From"] = mail_from or _setting("smtp_mail_from", "airflow@example.com")
    message["To"] = ", ".join(addresses(to))
    if cc:
        message["CC"] = ", ".join(addresses(cc))
    for name, value in (custom_headers or {}).items():
        message[name] = value
    message.set_content(html_content, subtype="html", charset=mime_charset)
    for file in files or ():
        kind, _, subtype = (guess_type(file)[0] or "application/octet-stream").partition("/")
        message.add_attachment(Path(file).read_bytes(), maintype=kind, subtype=subtype, filename=Path(file).name)
    return message, [*addresses(to), *addresses(cc or ()), *addresses(bcc or ())]


def addresses(given: str | Iterable[str]) -> list[str]:
    """One address, several with commas or semicolons between them, or a list."""
    if not isinstance(given, str):
        return [address for one in given for address in addresses(one)]
    return [address.strip() for address in given.replace(";", ",").split(",") if address.strip()]


def _send(message: EmailMessage, recipients: Collection[str]) -> None:
    import smtplib

    with_ssl = _setting("smtp_ssl", "false").lower() in ("true", "1", "t", "yes", "on")
    kind = smtplib.SMTP_SSL if with_ssl else smtplib.SMTP
    host, port = _setting("smtp_host", "localhost"), int(_setting("smtp_port", "25"))
    with kind(host, port, timeout=float(_setting("smtp_timeout", "30"))) as server:
        if not with_ssl and _setting("smtp_starttls", "true").lower() in ("true", "1", "t", "yes", "on"):
            server.starttls()
        user, password = _setting("smtp_user", ""), _setting("smtp_password", "")
        if user and password:
            server.login(user, password)
        server.send_message(message, to_addrs=list(recipients))


def _setting(key: str, default: str) -> str:
    return settings.get("smtp", key) or os.environ.get(f"AIRFLOW__SMTP__{key.upper()}") or default


class EmailOperator(BaseOperator):
    """Sends an e-mail."""

    template_fields: ClassVar[Sequence[str]] = ("to", "subject", "html_content", "files", "cc", "bcc")
    template_fields_renderers: ClassVar = {"html_content": "html"}
    template_ext = (".html",)
    ui_color = "#e6faf9"

    def __init__(
        self, *, to: str | Iterable[str], subject: str, html_content: str, files: Sequence[str] | None = None,
        cc: str | Iterable[str] | None = None, bcc: str | Iterable[str] | None = None, mime_subtype: str = "mixed",
        mime_charset: str = "utf-8", conn_id: str | None = None, custom_headers: Mapping[str, str] | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.to, self.subject, self.html_content = to, subject, html_content
        self.files, self.cc, self.bcc = files or [], cc, bcc
        self.mime_subtype, self.mime_charset = mime_subtype, mime_charset
        self.conn_id, self.custom_headers = conn_id, custom_headers

    def execute(self, context: Context) -> None:  # noqa: ARG002  the interface
        send_email(
            self.to, self.subject, self.html_content, files=self.files, cc=self.cc, bcc=self.bcc,
            mime_subtype=self.mime_subtype, mime_charset=self.mime_charset, custom_headers=self.custom_headers,
        )  # fmt: skip
