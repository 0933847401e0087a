"""Signs files with pyHanko, as the signing tool of a professional does it, and tampers with them as nobody should.

    sign_pdf.py authority   FROM-DAYS TO-DAYS OUT                                     key and certificate, days from now
    sign_pdf.py certificate AUTHORITY-KEY AUTHORITY NAME CODE FROM-DAYS TO-DAYS OUT   the same of a person
    sign_pdf.py pades  PAIR CHAIN IN OUT [--field F] [--visible] [--days N]   the stated time, days from now
    sign_pdf.py cades  PAIR CHAIN IN OUT
    sign_pdf.py redraw IN OUT     an update that paints other words over the first page
    sign_pdf.py remark IN OUT     an update that puts a note of free text on the first page
    sign_pdf.py service OUT                                  a time stamping service: PAIR.key and PAIR.pem
    sign_pdf.py longterm CERTIFICATE IN OUT [--also ACT]     an update with validation data (PAdES-LT)
    sign_pdf.py timestamp PAIR IN OUT [--also ACT] [--digest D]   an update with a time stamp of the document (PAdES-LTA)

ACT is what the same update does besides, one of ALSO.
PAIR is a path without its ending: PAIR.key and PAIR.pem.

Must never: be given a key that protects anything.
"""

import argparse
import asyncio
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko import keys, stamp
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers, timestamps
from pyhanko.sign.validation import dss
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


def changed(options, change):
    with open(options.input, "rb") as source, open(options.output, "wb") as target:
        writer = IncrementalPdfFileWriter(source)
        change(writer)
        writer.write(target)


def paint(writer):
    """Words over the first page, by a piece of contents of their own."""
    words = generic.StreamObject(stream_data=b"1 0 0 rg 50 400 300 200 re f")
    writer.add_stream_to_page(0, writer.add_object(words))


def annotate(writer):
    """A note of free text on the first page."""
    name = generic.NameObject
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


def act_on_opening(writer):
    """A script that runs when the file is opened."""
    name = generic.NameObject
    script = {name("/S"): name("/JavaScript"), name("/JS"): generic.TextStringObject("app.alert(999)")}
    writer.root[name("/OpenAction")] = generic.DictionaryObject(script)
    writer.update_root()


def attach(writer):
    """A file attached to the catalogue."""
    name = generic.NameObject
    file = writer.add_object(generic.StreamObject(stream_data=b"999 MWh"))
    names = {name("/EmbeddedFiles"): generic.DictionaryObject({name("/Names"): generic.ArrayObject([file])})}
    writer.root[name("/Names")] = generic.DictionaryObject(names)
    writer.update_root()


def fonts(writer):
    """A font in the form of the signatures."""
    name = generic.NameObject
    font = {name("/Type"): name("/Font"), name("/Subtype"): name("/Type1"), name("/BaseFont"): name("/Courier")}
    fonts = generic.DictionaryObject({name("/F"): writer.add_object(generic.DictionaryObject(font))})
    form = writer.root["/AcroForm"]
    form[name("/DR")] = generic.DictionaryObject({name("/Font"): fonts})
    writer.update_container(form)
    writer.update_root()


def restate(writer):
    """Another title of the signature that was put before."""
    field = writer.root["/AcroForm"]["/Fields"][0]
    field[generic.NameObject("/TU")] = generic.TextStringObject("999 MWh")
    writer.update_container(field)


def show(writer):
    """The field of the signature that was put before, made to be seen."""
    field = writer.root["/AcroForm"]["/Fields"][0]
    field[generic.NameObject("/Rect")] = generic.ArrayObject(map(generic.NumberObject, (50, 400, 350, 600)))
    writer.update_container(field)


def stray(writer):
    """An object that nothing leads to."""
    writer.add_object(generic.StreamObject(stream_data=b"999 MWh"))


def smuggle(writer):
    """A piece of text among the certificates."""
    store = writer.root["/DSS"]
    store["/Certs"].append(writer.add_object(generic.StreamObject(stream_data=b"999 MWh")))
    writer.update_container(store["/Certs"])


ALSO = {
    "redraw": paint,
    "remark": annotate,
    "script": act_on_opening,
    "attach": attach,
    "fonts": fonts,
    "restate": restate,
    "show": show,
    "stray": stray,
    "smuggle": smuggle,
}


def redraw(options):
    """An update of its own that paints over the first page."""
    changed(options, paint)


def remark(options):
    """An update of its own that puts a note on the first page."""
    changed(options, annotate)


def service(options):
    """The key and the certificate of a time stamping service (RFC 3161, 2.3), under no authority."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, options.output)])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(days_from_now(-5))
        .not_valid_after(days_from_now(5))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .sign(key, hashes.SHA256())
    )
    keep(options, key, built)


def also(options, writer):
    if options.also:
        ALSO[options.also](writer)


def longterm(options):
    """The validation data of the first signature, in an update that no signature covers (ETSI EN 319 142-1, 5.4)."""

    def change(writer):
        contents = writer.prev.embedded_signatures[0].pkcs7_content.hex().encode()
        certificates = list(keys.load_certs_from_pemder([options.certificate]))
        dss.DocumentSecurityStore.supply_dss_in_writer(writer, contents, certs=certificates)
        also(options, writer)

    changed(options, change)


def timestamp(options):
    """A time stamp of the document, by a service that this very program is."""
    stamper = timestamps.DummyTimeStamper(
        tsa_cert=keys.load_cert_from_pemder(options.pair + ".pem"),
        tsa_key=keys.load_private_key_from_pemder(options.pair + ".key", passphrase=None),
    )
    with open(options.input, "rb") as source, open(options.output, "wb") as target:
        writer = IncrementalPdfFileWriter(source)
        also(options, writer)
        signers.PdfTimeStamper(stamper).timestamp_pdf(writer, options.digest, output=target)


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
    for run, named in (
        (redraw, ("input",)),
        (remark, ("input",)),
        (service, ()),
        (longterm, ("certificate", "input")),
        (timestamp, ("pair", "input")),
    ):
        act = acts.add_parser(run.__name__)
        for argument in (*named, "output"):
            act.add_argument(argument)
        act.add_argument("--also", choices=ALSO)
        act.add_argument("--digest", default="sha256")
        act.set_defaults(run=run)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
