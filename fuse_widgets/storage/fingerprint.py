from dataclasses import dataclass, field
@dataclass(frozen=True)
class Fingerprint:
    code: str = ""
    arguments: dict = field(default_factory=dict)
    parents: dict = field(default_factory=dict)
    def to_json(self): return dict(self.__dict__)
    @classmethod
    def from_json(cls, d): return cls(**d)
    def difference(self, old): return None if self == old else "code changed"
class FingerprintCache: pass
