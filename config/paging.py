"""How lists of the API are cut into pages."""

from rest_framework.pagination import LimitOffsetPagination


class Pages(LimitOffsetPagination):
    """Pages of at most 1,000 rows, whatever is asked for: a reply stays one that a browser can hold."""

    max_limit = 1000
