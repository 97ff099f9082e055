"""The versions of the SQL engine (developer guide: "SQL versions")."""

import enum


class Version(enum.StrEnum):
    """A value of `awsIotSqlVersion`. `beta` is whatever is newest: today the same as 2016-03-23."""

    V2015_10_08 = "2015-10-08"
    V2016_03_23 = "2016-03-23"
    BETA = "beta"

    @property
    def whole_numbers_are_int(self) -> bool:
        """Whether `10.0` is the Int `10` (2016-03-23) or keeps its point (2015-10-08)."""
        return self is not Version.V2015_10_08

    def has(self, feature: "Version") -> bool:
        """Whether what came with `feature` is there in this version."""
        return feature is Version.V2015_10_08 or self is not Version.V2015_10_08
