"""The REST API of Wix for one app instance: every path in one table, which can be overridden.

Ratings have no published REST operations, only message schemas. Sources:
https://dev.wix.com/docs/rest and the Wix docs repository (ratings.service.json,
contacts.service.json). Reviews are public:
https://dev.wix.com/docs/api-reference/crm/community/reviews/reviews/introduction
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from sync_worker.remotes.http.calls import Answer, Call
from sync_worker.remotes.http.client import RemoteHttp

ENDPOINTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "create_token": ("POST", "/oauth2/token"),
        "create_rating": ("POST", "/ratings/v1/ratings"),
        "get_rating": ("GET", "/ratings/v1/ratings/{id}"),
        "update_rating": ("PATCH", "/ratings/v1/ratings/{id}"),
        "delete_rating": ("DELETE", "/ratings/v1/ratings/{id}"),
        "query_ratings": ("POST", "/ratings/v1/ratings/query"),
        "create_review": ("POST", "/reviews/v1/reviews"),
        "create_reviews": ("POST", "/reviews/v1/bulk/reviews/create"),
        "get_review": ("GET", "/reviews/v1/reviews/{id}"),
        "update_review": ("PATCH", "/reviews/v1/reviews/{id}"),
        "delete_review": ("DELETE", "/reviews/v1/reviews/{id}"),
        "query_reviews": ("POST", "/reviews/v1/reviews/query"),
        "count_reviews": ("POST", "/reviews/v1/reviews/count"),
        "moderate_review": ("PATCH", "/reviews/v1/reviews/{id}/moderate"),
        "set_reply": ("PATCH", "/reviews/v1/reviews/{id}/reply"),
        "remove_reply": ("DELETE", "/reviews/v1/reviews/{id}/reply"),
        "query_contacts": ("POST", "/contacts/v4/contacts/query"),
        "create_contact": ("POST", "/contacts/v4/contacts"),
        "get_contact": ("GET", "/contacts/v4/contacts/{id}"),
        "get_member": ("GET", "/members/v1/members/{id}"),
        "get_instance": ("GET", "/apps/v1/instance"),
        "delete_contact": ("DELETE", "/contacts/v4/contacts/{id}"),
        "get_catalog_version": ("GET", "/stores/v3/provision/version"),
        "query_products_v1": ("POST", "/stores/v1/products/query"),
        "query_products_v3": ("POST", "/stores/v3/products/query"),
    }
)
OLDEST_FIRST = [{"fieldName": "createdDate", "order": "ASC"}]


class WixApi:
    """One app instance: calls by the name of the endpoint."""

    def __init__(
        self, http: RemoteHttp, endpoints: Mapping[str, tuple[str, str]] = ENDPOINTS
    ) -> None:
        self.http = http
        self._endpoints = endpoints

    def call(self, name: str, *, remote_id: str = "", **options: Any) -> Answer:
        """One call. ``options``: as those of Call. Errors: as RemoteHttp's."""
        method, path = self._endpoints[name]
        # Quoted whole: a slash in an id must not lead to another path.
        address = path.format(id=quote(remote_id, safe=""))
        return self.http.call(Call(method, address, name, **options))

    def site_id(self) -> str | None:
        """Of the site that the app instance is installed on."""
        site = self.app_instance().get("site")
        site_id = site.get("siteId") if isinstance(site, dict) else None
        return site_id if isinstance(site_id, str) else None

    def app_instance(self) -> Mapping[str, Any]:
        """Get App Instance: a cheap check of a token and of the granted permissions."""
        body = self.call("get_instance").body
        return body if isinstance(body, dict) else {}
