"""What AWS's documents leave open, and how it is done here: UNVERIFIED, all of it, and made to be easy to change.

- Answers are published at QoS 1 (`ANSWER_QOS`), those to clients that subscribed with less as they asked.
- An update over HTTP publishes `accepted` and `documents` too, a delete `accepted` (`operations`): the guide says that
  of `delta`, and of `documents` that every successful update is told there.
- Nulls in an update are echoed in the state of its `accepted` (`answers.accepted`).
- A `documents` message of a first update has no `previous`, and every one has the `clientToken` of its update
  (`answers.documents`).
- A get has no `metadata.delta`, a delta message has the metadata of what is desired (`answers`).
- The same value written again gets the new timestamp; an object that has lost its last key stays (`document.merge`),
  as one that was sent without keys does: that, and `"state": null`, AWS was seen to take (by tests of the moto project
  that are run against it).
- 1 and 1.0 are the same to a delta, true is not 1 (`document.same`).
- A delta is told after every update that leaves one, whether or not it is another than before (`operations`).
- Of a member that is in an object twice the last one counts, as JSON parsers mostly have it (`requests`).
- The first update of a shadow may say version 0, or that of the deleted shadow that it takes up again (`operations`).
- A delete may say a version, by which the guide's section on optimistic locking means every request that changes a
  shadow; anything else in its payload but the `clientToken` is ignored (`requests.parse_delete`).
- The classic shadow that does not exist goes by the thing's name in the error's text (`ShadowId.label`).
- A topic below a shadow's prefix that is none of the guide's is an ordinary one: nothing is rejected (`topics`).
- ListNamedShadowsForThing gives 25 names where the request does not say how many (`NAMES_PER_PAGE`), and is allowed by
  a policy for the thing: the developer guide's table says `*`, its REST page and the service authorization reference
  the thing.
- Requests that a rate refuses count for it, too (`rates`).
"""

ANSWER_QOS = 1

NAMES_PER_PAGE = 25
"""Of ListNamedShadowsForThing; the model allows 1 to 100."""
