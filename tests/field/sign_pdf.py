"""Signs files with pyHanko, as the signing tool of a professional does it, and tampers with them as nobody should.

    sign_pdf.py authority   FROM-DAYS TO-DAYS OUT                                     key and certificate, days from now
    sign_pdf.py certificate AUTHORITY-KEY AUTHORITY NAME CODE FROM-DAYS TO-DAYS OUT   the same of a person
    sign_pdf.py pades  PAIR CHAIN IN OUT [--field F] [--visible] [--days N]   the stated time, days from now
    sign_pdf.py cades  PAIR CHAIN IN OUT
    sign_pdf.py redraw IN OUT     an update that paints other words over the first page
    sign_pdf.py remark IN OUT     an update that puts a note of free text on the first page

PAIR is a path without its ending: PAIR.key and PAIR.pem.

Must never: be given a key that protects anything.
"""

import argparse
import asyncio
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pyhanko import keys, stamp
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko_certvalidator.registry import SimpleCertificateStore


def days_from_now(days):
    return datetime.datetime.now(tz=datetime.timezone.utc) + datetime.timedelta(days=days)


def keep(options, key, built):
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    with open(options.output + ".key", "wb") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, form, plain))
    with open(options.output + ".pem", "wb") as file:
        file.write(built.public_bytes(serialization.Encoding.PEM))


def authority(options):
    """An authority whose certificate began before today: OpenSSL 3.0 can only begin one now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, options.output)])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(days_from_now(options.from_days))
        .not_valid_after(days_from_now(options.to_days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    keep(options, key, built)


def certificate(options):
    """A personal certificate with the person's code (ETSI EN 319 412-1), valid in any days."""
    with open(options.authority_key, "rb") as file:
        authority_key = serialization.load_pem_private_key(file.read(), password=None)
    with open(options.authority, "rb") as file:
        authority = x509.load_pem_x509_certificate(file.read())
    key = ec.generate_private_key(ec.SECP256R1())
    names = [(NameOID.COMMON_NAME, options.name), (NameOID.SERIAL_NUMBER, options.code)]
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(kind, text) for kind, text in names]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(days_from_now(options.from_days))
        .not_valid_after(days_from_now(options.to_days))
        .add_extension(
            x509.KeyUsage(False, True, False, False, False, False, False, False, False), critical=True
        )
        .sign(authority_key, hashes.SHA256())
    )
    keep(options, key, built)


def signer_of(options):
    registry = SimpleCertificateStore()
    registry.register_multiple(list(keys.load_certs_from_pemder([options.chain])))
    return signers.SimpleSigner(
        signing_cert=keys.load_cert_from_pemder(options.pair + ".pem"),
        signing_key=keys.load_private_key_from_pemder(options.pair + ".key", passphrase=None),
        cert_registry=registry,
    )


class StatedTime(signers.PdfSigner):
    """The same signer by a clock that stands wrong."""

    def __init__(self, *arguments, at, **more):
        super().__init__(*arguments, **more)
        self.at = at

    def init_signing_session(self, *arguments, **more):
        session = super().init_signing_session(*arguments, **more)
        session.system_time = self.at
        return session


def pades(options):
    """An incremental update with a signature of ETSI.CAdES.detached, seen on the page or not."""
    meta = signers.PdfSignatureMetadata(
        field_name=options.field,
        md_algorithm="sha256",
        subfilter=fields.SigSeedSubFilter.PADES,
        reason="Relazione annuale",
    )
    box = (60, 60, 260, 120) if options.visible else None
    with open(options.input, "rb") as source, open(options.output, "wb") as target:
        StatedTime(
            meta,
            at=days_from_now(options.days),
            signer=signer_of(options),
            stamp_style=stamp.TextStampStyle(stamp_text="Firmato da %(signer)s\n%(ts)s"),
            new_field_spec=fields.SigFieldSpec(options.field, on_page=0, box=box),
        ).sign_pdf(IncrementalPdfFileWriter(source), output=target)


def cades(options):
    """A .p7m: a signed message of CAdES with the file inside."""
    with open(options.input, "rb") as source:
        data = source.read()
    attributes = signers.pdf_cms.PdfCMSSignedAttributes(signing_time=days_from_now(0))
    message = asyncio.run(
        signer_of(options).async_sign_general_data(
            data, "sha256", detached=False, use_cades=True, signed_attr_settings=attributes
        )
    )
    with open(options.output, "wb") as target:
        target.write(message.dump())


def redraw(options):
    """Words over the first page, by a piece of contents of their own."""
    with open(options.input, "rb") as source, open(options.output, "wb") as target:
        writer = IncrementalPdfFileWriter(source)
        words = generic.StreamObject(stream_data=b"1 0 0 rg 50 400 300 200 re f")
        writer.add_stream_to_page(0, writer.add_object(words))
        writer.write(target)


def remark(options):
    """A note of free text on the first page."""
    name = generic.NameObject
    with open(options.input, "rb") as source, open(options.output, "wb") as target:
        writer = IncrementalPdfFileWriter(source)
        note = generic.DictionaryObject(
            {
                name("/Type"): name("/Annot"),
                name("/Subtype"): name("/FreeText"),
                name("/Rect"): generic.ArrayObject(map(generic.NumberObject, (50, 400, 350, 600))),
                name("/Contents"): generic.TextStringObject("999 MWh"),
                name("/DA"): generic.TextStringObject("/Helv 30 Tf"),
            }
        )
        page, _ = writer.find_page_for_modification(0)
        writer.register_annotation(page, writer.add_object(note))
        writer.write(target)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    acts = parser.add_subparsers(required=True)
    for run, named in ((authority, ()), (certificate, ("authority_key", "authority", "name", "code"))):
        act = acts.add_parser(run.__name__)
        for argument in named:
            act.add_argument(argument)
        act.add_argument("from_days", type=float)
        act.add_argument("to_days", type=float)
        act.add_argument("output")
        act.set_defaults(run=run)
    for run in (pades, cades):
        act = acts.add_parser(run.__name__)
        for argument in ("pair", "chain", "input", "output"):
            act.add_argument(argument)
        act.set_defaults(run=run)
        if run is pades:
            act.add_argument("--field", default="Firma1")
            act.add_argument("--visible", action="store_true")
            act.add_argument("--days", type=float, default=0)
    for run in (redraw, remark):
        act = acts.add_parser(run.__name__)
        act.add_argument("input")
        act.add_argument("output")
        act.set_defaults(run=run)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
