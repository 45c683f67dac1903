"""Microsoft's SDK for Azure Files against the fake: python3 sdk.py ENDPOINT ACCOUNT KEY TOKEN"""

import os
import sys
import time
from datetime import datetime, timedelta, timezone

from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.fileshare import ShareServiceClient, generate_account_sas, generate_share_sas

endpoint, account, key, token = sys.argv[1:]
MIB = 1024 * 1024


class FixedToken:
    def get_token(self, *scopes, **options):
        assert scopes == ("https://storage.azure.com/.default",), scopes
        return AccessToken(token, int(time.time()) + 3600)


class WithoutTls(RequestsTransport):
    """The SDK sends tokens over https only, and the fake has no certificate."""

    def send(self, request, **options):
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **options)


def fails_with(code, call, *arguments, error=HttpResponseError, **options):
    try:
        call(*arguments, **options)
    except error as raised:
        assert raised.error_code == code, raised
    else:
        raise AssertionError(f"{code} was expected")


def at(credential, endpoint=endpoint, **options):
    return ShareServiceClient(endpoint, credential=credential, retry_total=0, **options)


by_key = at({"account_name": account, "account_key": key})
share = by_key.create_share("from-the-sdk")
fails_with("ShareAlreadyExists", by_key.create_share, "from-the-sdk", error=ResourceExistsError)


def work(share, folder, **options):
    """Everything that the client of millrace does, and around it."""
    directory = share.create_directory(folder, **options)
    fails_with("ResourceAlreadyExists", share.create_directory, folder, error=ResourceExistsError, **options)

    # Create File, Put Range three times, Get File in ranges.
    body = os.urandom(9 * MIB + 5)
    file = directory.get_file_client("Größe #1 100%.csv")
    file.upload_file(body, metadata={"from": "sdk"}, **options)
    assert file.download_file(**options).readall() == body
    assert file.download_file(offset=4 * MIB - 3, length=10, **options).readall() == body[4 * MIB - 3 : 4 * MIB + 7]
    properties = file.get_file_properties(**options)
    assert properties.size == len(body) and properties.metadata == {"from": "sdk"}, properties
    assert abs(properties.last_modified - datetime.now(timezone.utc)) < timedelta(minutes=5)

    # Bounds.
    file.upload_range(b"0123", offset=7, length=4, **options)
    assert file.download_file(offset=6, length=6, **options).readall() == body[6:7] + b"0123" + body[11:12]
    fails_with("InvalidRange", file.upload_range, b"01", offset=len(body) - 1, length=2, **options)
    fails_with("RequestBodyTooLarge", file.upload_range, bytes(4 * MIB + 1), offset=0, length=4 * MIB + 1, **options)
    empty = directory.get_file_client("empty")
    empty.create_file(0, **options)
    assert empty.download_file(**options).readall() == b""

    # Rename.
    renamed = file.rename_file(f"{folder}/renamed", **options)
    assert renamed.download_file(offset=0, length=7, **options).readall() == body[:7]
    fails_with("ResourceNotFound", file.get_file_properties, error=ResourceNotFoundError, **options)
    fails_with("ResourceAlreadyExists", empty.rename_file, f"{folder}/RENAMED", error=ResourceExistsError, **options)
    empty.rename_file(f"{folder}/renamed", overwrite=True, **options)

    # Lists, in pages.
    for number in range(5):
        directory.get_file_client(f"page-{number}").create_file(number, **options)
    directory.create_subdirectory("page-sub", **options)
    pages = directory.list_directories_and_files(
        name_starts_with="PAGE-", results_per_page=2, include=["timestamps"], include_extended_info=True, **options
    ).by_page()
    # The SDK puts the directories of a page before its files.
    pages = [sorted((entry.name, entry.is_directory, entry.get("size")) for entry in page) for page in pages]
    expected = [(f"page-{number}", False, number) for number in range(5)] + [("page-sub", True, None)]
    assert pages == [expected[:2], expected[2:4], expected[4:]], pages
    times = [entry.last_modified for entry in directory.list_directories_and_files(include=["timestamps"], **options)]
    assert len(times) == 7 and all(times), times

    # Removal.
    fails_with("DirectoryNotEmpty", directory.delete_directory, **options)
    directory.delete_subdirectory("page-sub", **options)
    for entry in list(directory.list_directories_and_files(**options)):
        directory.delete_file(entry.name, **options)
    fails_with("ResourceNotFound", directory.delete_file, "renamed", error=ResourceNotFoundError, **options)
    directory.delete_directory(**options)


work(share, "Mappe & #1")
expiry = datetime.now(timezone.utc) + timedelta(hours=1)


def account_signature(permission="rcwdl", resource_types="co", expiry=expiry, key=key):
    return generate_account_sas(account, key, resource_types, permission, expiry)


def opened(credential, endpoint=endpoint, **options):
    return at(credential, endpoint, **options).get_share_client("from-the-sdk")


work(opened(account_signature()), "by account signature")
work(opened(generate_share_sas(account, "from-the-sdk", key, permission="rcwdl", expiry=expiry)), "by share signature")
secure = endpoint.replace("http://", "https://")
work(opened(FixedToken(), secure, token_intent="backup", transport=WithoutTls()), "by token")

# Who may not come in.
wrong = "AAAA" + key[4:]
for credential in [
    {"account_name": account, "account_key": wrong},
    account_signature(key=wrong),
    account_signature(expiry=datetime.now(timezone.utc) - timedelta(hours=1)),
    generate_share_sas(account, "another", key, permission="rcwdl", expiry=expiry),
]:
    create = opened(credential).create_directory
    fails_with("AuthenticationFailed", create, "x", error=ClientAuthenticationError)
fails_with("AuthorizationPermissionMismatch", opened(account_signature("rl")).create_directory, "x")
fails_with("AuthorizationResourceTypeMismatch", opened(account_signature(resource_types="s")).create_directory, "x")
missing = by_key.get_share_client("missing")
fails_with("ShareNotFound", missing.create_directory, "x", error=ResourceNotFoundError)
fails_with("ParentNotFound", share.create_directory, "x/y", error=ResourceNotFoundError)
print("it works")
