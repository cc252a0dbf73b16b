"""The JSON API under ``/api/v1``: thin over operations, described by its own OpenAPI document."""

PREFIX = "/api/v1"
