"""The language of the platform: pydantic models and the standard library only.

``base`` how contracts evolve, ``artifacts`` handles to stored media, ``tasks`` what a provider implements,
``context`` what a provider is handed, ``upload script lipsync video qa media`` requests and results,
``workflow tool_registry`` the shape of the YAML files, ``events`` what is reported, ``errors`` what can go wrong.
"""
