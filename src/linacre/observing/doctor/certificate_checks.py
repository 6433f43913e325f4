"""Certificates by which the engine is reached, and who may read their keys."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from linacre.base.listing import counted
from linacre.declaration import models
from linacre.kinds.checking.facts import Facts
from linacre.kinds.checking.model import Finding, Outcome, not_applicable, problem, warning

SOON_S = 30 * 86400.0
_CONNECT_LIMIT_S = 3.0
_DEFAULT_PORT = 8443
_OTHERS = 0o077


@dataclass(frozen=True)
class _Certificate:
    what: str
    pem: bytes
    remedy: str


async def certificates_valid(facts: Facts) -> Outcome:
    """See when each certificate ends, and that its key is its owner's alone."""
    settings = facts.facility.engine
    findings: list[Finding] = []
    certificates: list[_Certificate] = []
    if isinstance(settings, models.IncusEngine) and settings.url is not None:
        base = facts.session.declaration.folder
        if settings.certificate is not None:
            remedy = "make a new one, and let the server trust it: incus config trust add"
            certificates += _read(base / settings.certificate, remedy, findings)
        if settings.key is not None:
            findings += key_findings(base / settings.key)
        again = "on the server: incusd makes a new one where server.crt and server.key are not"
        if settings.server_certificate is not None:
            certificates += _read(base / settings.server_certificate, again, findings)
        certificates += await _presented(settings.url, again)
    embedded = facts.session.paths.incus / "daemon/server.crt"
    if embedded.exists():
        remedy = f"linacre down; move {embedded} and server.key away; linacre up"
        certificates += _read(embedded, remedy, findings)
        findings += key_findings(embedded.with_suffix(".key"))
    if not certificates and not findings:
        return not_applicable("nothing is reached by a certificate")
    now = facts.session.clock.now()
    findings += [f for each in certificates if (f := _finding(each, now)) is not None]
    return Outcome(f"{counted(len(certificates), 'certificate')}", tuple(findings))


def _read(path: Path, remedy: str, findings: list[Finding]) -> list[_Certificate]:
    try:
        return [_Certificate(str(path), path.read_bytes(), remedy)]
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
        findings.append(problem(str(path), text, "write the path of a PEM file in engine"))
        return []


def key_findings(key: Path) -> list[Finding]:
    """Return what is wrong with who may read a key."""
    try:
        mode = key.stat().st_mode & 0o777
    except OSError as error:
        text = f"this key cannot be read: {error.strerror}"
        return [problem(str(key), text, "write the path of a PEM file in engine")]
    if not mode & _OTHERS:
        return []
    text = f"this key is open to others than its owner (mode {mode:o})"
    return [problem(str(key), text, f"chmod 600 {key}")]


async def _presented(url: str, remedy: str) -> list[_Certificate]:
    """Return the certificate that a server presents; none where it does not answer."""
    where = urlsplit(url)
    context = ssl.create_default_context()
    # What it presents is to be looked at, valid or not; nothing is sent.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(_CONNECT_LIMIT_S):
            _, writer = await asyncio.open_connection(
                where.hostname, where.port or _DEFAULT_PORT, ssl=context
            )
    except (OSError, TimeoutError):
        return []  # told by the check of the engine
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    presented = tls.getpeercert(binary_form=True)
    writer.close()
    if presented is None:
        return []
    return [_Certificate(url, ssl.DER_cert_to_PEM_cert(presented).encode(), remedy)]


def _finding(each: _Certificate, now: float) -> Finding | None:
    # Only here: it takes a while to import, and most facilities have no certificate.
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(each.pem)
    except ValueError:
        return problem(each.what, "this is no certificate in PEM", each.remedy)
    ends = certificate.not_valid_after_utc.timestamp()
    begins = certificate.not_valid_before_utc.timestamp()
    day = time.strftime("%Y-%m-%d", time.gmtime(ends))
    if begins > now:
        day = time.strftime("%Y-%m-%d", time.gmtime(begins))
        return problem(each.what, f"valid only from {day} on", "see that the clock is right")
    if ends <= now:
        return problem(each.what, f"ended on {day}", each.remedy)
    if ends - now < SOON_S:
        return warning(each.what, f"ends on {day}", each.remedy)
    return None
