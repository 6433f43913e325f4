"""Who may log in to the machines, and which engine runs them."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from linacre.declaration.models.part import Part
from linacre.declaration.models.values import Bytes, Line
from linacre.documents.quoting import quoted

_KEY_TYPE = r"(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh|ecdsa)-[\w.@-]+)"
# Schemes of crypt(3) that resist guessing: yescrypt, gost-yescrypt, scrypt, bcrypt, SHA-512/256.
_CRYPT = r"\$(y|gy|7|2[aby]|6|5)\$[./A-Za-z0-9$=,]{20,}"


def _ssh_key(value: str) -> str:
    if "PRIVATE KEY" in value:
        raise ValueError("this is a private key (not shown); write the line of its .pub file")
    words = value.split()
    if len(words) >= 2 and re.fullmatch(_KEY_TYPE, words[0]) and "\n" not in value.strip():
        try:
            blob = base64.b64decode(words[1], validate=True)
        except binascii.Error:
            blob = b""
        if blob[4 : 4 + len(words[0])] == words[0].encode():
            return value.strip()
    raise ValueError(
        f"{quoted(value)} is not a public SSH key; write the line of a .pub file, "
        "such as 'ssh-ed25519 AAAAC3... name'"
    )


def _telnet_user(value: str) -> str:
    if value == "root":
        raise ValueError("root may not log in by telnet; write another user, such as operator")
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", value):
        raise ValueError(f"{quoted(value)} is not a user name; write one like operator")
    return value


def _password_hash(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(_CRYPT, value):
        raise ValueError(
            "this is not a crypt(3) hash, or a weak one (not shown, it may be a password); "
            "write in quotes what `openssl passwd -6` prints"
        )
    return value


class TelnetAccess(Part):
    """Log-in by telnet, port 23; without it the port is off."""

    user: Annotated[str, AfterValidator(_telnet_user)] = Field(
        description="The user, not root.", examples=["operator"]
    )
    password_hash: Annotated[str, BeforeValidator(_password_hash)] = Field(
        description="The crypt(3) hash of the password, as `openssl passwd -6` prints it.",
        examples=["$6$IWUGlGP5X4bSWGWc$WzDAbjF6JH5Qg0/NN4lSFSlTmpZ"],
        repr=False,
    )


class Access(Part):
    """Who may log in to the machines."""

    ssh_keys: tuple[Annotated[str, AfterValidator(_ssh_key)], ...] = Field(
        default=(),
        description="Public SSH keys, a line each, that open root on every machine.",
        examples=[["ssh-ed25519 AAAAC3... name"]],
    )
    telnet: TelnetAccess | None = Field(
        default=None, description="Log-in by telnet; off without it."
    )


class AutoEngine(Part):
    """Incus where it can run, else the process engine; `up` says which."""

    kind: Literal["auto"] = Field(description="Incus where it can run, else processes.")


class ProcessEngine(Part):
    """Each IOC a process under procServ with a loopback address: no root, no containers."""

    kind: Literal["process"] = Field(description="Processes with loopback addresses.")


def _url(value: str) -> str:
    if not re.match(r"https://[^/@\s]+(:[0-9]+)?/?$", value):
        raise ValueError(
            f"{quoted(value)} is not the address of an Incus server; "
            "write one like https://srv1.example.org:8443"
        )
    return value


def _pool_size(value: Bytes) -> Bytes:
    if value < 1 << 30:
        raise ValueError(f"{value} is too little for machines; write 1GiB or more")
    return value


class IncusEngine(Part):
    """Containers on this host's Incus, an embedded one, or a remote server or cluster."""

    kind: Literal["incus"] = Field(description="Containers under Incus.")
    url: Annotated[str, AfterValidator(_url)] | None = Field(
        default=None,
        description="A remote Incus server or cluster; without it, this host's own or an "
        "embedded one. Needs `certificate` and `key`.",
        examples=["https://srv1.example.org:8443"],
    )
    certificate: Line | None = Field(
        default=None,
        description="File of the client certificate the server trusts, relative to this file.",
        examples=["secrets/client.crt"],
    )
    key: Line | None = Field(
        default=None,
        description="File of the client certificate's key, relative to this file.",
        examples=["secrets/client.key"],
    )
    server_certificate: Line | None = Field(
        default=None,
        description="File of the server's certificate, where no authority signed it.",
        examples=["secrets/server.crt"],
    )
    pool_size: Annotated[Bytes, AfterValidator(_pool_size)] | None = Field(
        default=None,
        description="Size of the storage pool made for the facility; without it, Linacre chooses.",
        examples=["20GiB"],
    )

    @model_validator(mode="after")
    def _whole(self) -> IncusEngine:
        files = {"certificate": self.certificate, "key": self.key}
        missing = [name for name, file in files.items() if file is None]
        if self.url is not None and missing:
            raise ValueError(f"url needs {' and '.join(missing)}; write the file of each")
        if self.url is None and (len(missing) < 2 or self.server_certificate is not None):
            raise ValueError("certificates are for a remote server; write its url, or remove them")
        return self


def _from_text(value: Any) -> Any:
    if isinstance(value, str):
        return {"kind": value}
    if isinstance(value, int | float | list):
        raise ValueError(f"{quoted(value)} is not an engine; write auto, incus or process")  # pyright: ignore[reportUnknownArgumentType]
    return value


Engine = Annotated[
    Annotated[AutoEngine | IncusEngine | ProcessEngine, Field(discriminator="kind")],
    BeforeValidator(
        _from_text,
        json_schema_input_type=Literal["auto", "incus", "process"]
        | AutoEngine
        | IncusEngine
        | ProcessEngine,
    ),
]
"""An engine by its name, or with settings of its own."""
