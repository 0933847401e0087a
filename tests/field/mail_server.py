"""A mail server that this project did not write (aiosmtpd), on a free port of loopback.

    mail_server.py MODE FOLDER CERTIFICATE KEY

MODE is `starttls`, `tls`, or one of them with `-hold`: then a letter is kept and the answer to it never comes. Every letter
taken becomes a file FOLDER/N.eml, beside FOLDER/N.envelope with sender, recipients, how it was protected and what it
says as Python reads it. Prints its port once it listens.
Must never: take a letter without user, password and TLS.
"""

import asyncio
import email
import email.policy
import hashlib
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def main() -> None:
    mode, folder, certificate, key = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    hold = mode.endswith("-hold")
    mode = mode.removesuffix("-hold")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            number = len(list(folder.glob("*.eml"))) + 1
            letter = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
            about = {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "tls": mode == "tls" or session.ssl is not None,
                "authenticated": session.authenticated,
                "subject": letter["subject"],
                "text": letter.get_body(("plain",)).get_content(),
                "message_id": letter["message-id"],
                "files": [
                    [part.get_filename(), hashlib.sha256(part.get_payload(decode=True)).hexdigest()]
                    for part in letter.iter_attachments()
                ],
            }
            (folder / f"{number}.envelope").write_text(json.dumps(about))
            aside = folder / f".{number}.part"
            aside.write_bytes(envelope.original_content)
            aside.rename(folder / f"{number}.eml")
            if hold:
                await asyncio.sleep(3600)
            return "250 taken"

    def authenticate(server, session, envelope, mechanism, data):
        good = (data.login, data.password) == (b"consuntivo", b"segreto")
        return AuthResult(success=good)

    def protocol():
        if mode == "tls":
            return SMTP(Handler(), authenticator=authenticate, auth_required=True, auth_require_tls=False)
        return SMTP(
            Handler(),
            tls_context=context,
            require_starttls=True,
            authenticator=authenticate,
            auth_required=True,
        )

    async def serve():
        server = await asyncio.get_running_loop().create_server(
            protocol, "127.0.0.1", 0, ssl=context if mode == "tls" else None
        )
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())


main()
