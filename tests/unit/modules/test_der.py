"""Keys and certificates are read as openssl reads them, or not at all."""

from __future__ import annotations

import datetime as dt

import pytest
from ansible.module_utils.hestia_der import certificate, rsa_public_key
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

KEY = rsa.generate_private_key(65537, 2048)
PUBLIC = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def private(form: PrivateFormat) -> str:
    return KEY.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def signed(issuer: str, end: dt.datetime) -> x509.Certificate:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    built = x509.CertificateBuilder().subject_name(name("site.test")).issuer_name(name(issuer))
    built = built.public_key(KEY.public_key()).serial_number(7).not_valid_before(dt.datetime(2020, 1, 1))
    return built.not_valid_after(end).sign(KEY, hashes.SHA256())


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL], ids=["pkcs8", "pkcs1"])
def test_the_public_half_of_a_key(form: PrivateFormat) -> None:
    assert rsa_public_key(private(form)) == PUBLIC


def test_other_keys_and_broken_ones_are_left_to_openssl() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    other = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    lines = private(PrivateFormat.PKCS8).splitlines()
    cut = "\n".join([*lines[:9], *lines[-1:]])
    for text in (other, cut, "", "-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----"):
        assert rsa_public_key(text) is None


@pytest.mark.parametrize("end", [dt.datetime(2031, 5, 6, 7, 8, 9), dt.datetime(2061, 1, 2, 3, 4, 5)])
def test_what_a_certificate_says(end: dt.datetime) -> None:
    own, other = (signed(issuer, end).public_bytes(Encoding.PEM).decode() for issuer in ("site.test", "ca.test"))
    found, foreign = certificate(own), certificate(f"text before\n{other}")
    assert found is not None
    assert foreign is not None
    assert (found.not_after, found.public_key) == (end, PUBLIC)
    assert found.subject == found.issuer == foreign.subject != foreign.issuer
    assert certificate(own[:300]) is None
    assert certificate(own.replace("\n", "", 3)[:-60] + "=\n-----END CERTIFICATE-----\n") is None
