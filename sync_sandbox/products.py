"""What can be rated on a stand-in, and how each platform shows it in its catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Product:
    """One product; ``variants``: SKUs, where it has several. ``is_hidden``: not for buyers yet."""

    id: str
    name: str = ""
    sku: str = ""
    variants: Sequence[str] = ()
    is_hidden: bool = False

    @property
    def path(self) -> str:
        return "/product-page/" + "-".join(self.name.lower().split())

    @property
    def image(self) -> str:
        return f"https://images.example.com/{self.id}.png"


def as_own_service(product: Product) -> dict[str, Any]:
    """Our own contract, docs/connectors.md."""
    shown = {"id": product.id, "sku": product.sku or None, "name": product.name}
    return {**shown, "url": f"https://shop.example.com{product.path}", "image": product.image}


def as_woocommerce(product: Product) -> dict[str, Any]:
    """https://woocommerce.github.io/woocommerce-rest-api-docs/#product-properties

    A product of variants has a SKU of its own only where somebody gave it one; theirs are listed
    under it. Without a picture the list is empty.
    """
    return {
        "id": int(product.id),
        "name": product.name,
        "sku": product.sku,
        "type": "variable" if product.variants else "simple",
        "status": "draft" if product.is_hidden else "publish",
        "permalink": f"https://shop.example.com{product.path}/",
        "images": [{"id": 1, "src": product.image}] if product.name else [],
    }


def as_bigcommerce(product: Product, reviews: int) -> dict[str, Any]:
    """https://developer.bigcommerce.com/docs/rest-catalog/products#get-all-products

    Its address is a path, and the picture comes only with ``include=primary_image``.
    """
    return {
        "id": int(product.id),
        "name": product.name,
        "sku": product.sku,
        "reviews_count": reviews,
        "custom_url": {"url": f"{product.path}/", "is_customized": False},
        "primary_image": {"url_standard": product.image},
    }


def as_fera(product: Product) -> dict[str, Any]:
    """https://developers.fera.ai/reference/products

    A product that came from the store has the store's id beside Fera's own.
    """
    return {
        "id": f"fpro_{product.id}",
        "external_id": product.id,
        "name": product.name,
        "sku": product.sku or None,
        "url": f"https://shop.example.com{product.path}",
        "thumbnail_url": product.image,
    }
