"""The admin's pages of watches and of deliveries; Django finds them by importing this package."""

from watches.admin import delivery_pages, watch_pages

__all__ = ("delivery_pages", "watch_pages")
