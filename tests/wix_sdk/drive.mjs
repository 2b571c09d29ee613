// Drives the sandbox's Wix with Wix's own client, and prints as JSON what that client made of the
// answers. `node drive.mjs calls` makes calls, `node drive.mjs events` reads webhooks.
// The sandbox, the people and the webhooks come as JSON on standard input.
import { readFileSync } from "node:fs";
import { ApiKeyStrategy, AppStrategy, createClient } from "@wix/sdk";
import { reviews } from "@wix/reviews";

const given = JSON.parse(readFileSync(0, "utf8"));

// The client knows only Wix's own host, by https, and asks for tokens through the global fetch.
const real = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const asked = new URL(input instanceof Request ? input.url : String(input));
  const here = new URL(asked.pathname + asked.search, given.url);
  return input instanceof Request ? real(new Request(here, input)) : real(here, init);
};

const app = AppStrategy({
  appId: given.appId,
  appSecret: given.appSecret,
  instanceId: given.instanceId,
  publicKey: given.publicKey,
});
const client = createClient({ auth: app, modules: { reviews } });

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    const violations = error.details?.validationError?.fieldViolations;
    return { code: error.details?.applicationError?.code, field: violations?.[0]?.field };
  }
  return "not refused";
}

function draft(contactId, entityId, content, more = {}) {
  return { namespace: "stores", entityId, author: { contactId, authorName: "Ana M." }, content, ...more };
}

async function calls() {
  const { ana, bo, product } = given;
  const api = client.reviews;
  const media = [
    { image: "wix:image://v1/8bb438_ab12.jpg/mug.jpg#originWidth=1572&originHeight=1976" },
    { video: "wix:video://v1/8bb438_ef56/clip.mp4#posterUri=8bb438_ef56f000.jpg&posterWidth=640&posterHeight=360" },
  ];
  const written = new Date("2025-11-20T09:15:00.000Z");
  const content = { rating: 4, title: "Good", body: given.body, media };
  const created = await api.createReview(draft(ana, product, content, { reviewDate: written }));
  const id = created._id;
  const got = await api.getReview(id, { returnPrivateReviews: true });
  const updated = await api.updateReview(id, { revision: "1", content: { rating: 2, body: "Broke." } });
  const cleared = await api.updateReview(id, { revision: "2", content: { title: null } });
  const bulk = await api.bulkCreateReview(
    [draft(bo, product, { rating: 5, body: "x" }), draft(bo, product, { rating: 1, body: "y" })],
    { returnEntity: true },
  );
  const built = await api
    .queryReviews({ returnPrivateReviews: true })
    .eq("namespace", "stores")
    .eq("entityId", product)
    .in("author.contactId", [ana, bo])
    .ascending("_createdDate")
    .limit(1)
    .find();
  const second = await built.next();
  const typed = await api.queryReviews(
    {
      filter: { "content.media": { $isEmpty: false }, "origin.type": "APP", entityId: product },
      sort: [{ fieldName: "createdDate", order: "DESC" }],
      cursorPaging: { limit: 100 },
    },
    { returnPrivateReviews: true },
  );
  const plain = await api.queryReviews().find();
  const counted = await api.countReviews({ filter: { entityId: product }, includePrivateReviews: true });
  const rejected = await api.updateModerationStatus(id, { status: "REJECTED" });
  const hidden = await refusal(() => api.getReview(id));
  const countedPublic = await api.countReviews({ filter: { entityId: product } });
  const approved = await api.updateModerationStatus(id, { status: "APPROVED" });
  const replied = await api.setReply(id, "Thank you!");
  const bare = await api.removeReply(id);
  const refusals = {
    stale: await refusal(() => api.updateReview(id, { revision: "1", content: { rating: 1 } })),
    stars: await refusal(() => api.createReview(draft(ana, "another", { rating: 6 }))),
    duplicate: await refusal(() => api.createReview(draft(ana, product, { rating: 1 }))),
    contact: await refusal(() => api.createReview(draft(product, product, { rating: 1 }))),
    byFilter: await refusal(() => api.bulkDeleteReviews({ filter: { entityId: product } })),
  };
  const keyed = createClient({
    auth: ApiKeyStrategy({ apiKey: given.apiKey, siteId: given.siteId }),
    modules: { reviews },
  });
  const countedByKey = await keyed.reviews.countReviews({ filter: { entityId: product } });
  const deleted = await api.deleteReview(id);
  return {
    created, got, updated, cleared, bulk, rejected, hidden, approved, replied, bare, refusals, deleted,
    pages: [built.items, second.items, built.hasNext(), second.hasNext()],
    plain: plain.items.length,
    typed: typed.reviews,
    counts: [counted.count, countedPublic.count, countedByKey.count],
  };
}

async function events() {
  const heard = [];
  const listen = (name) => (event) =>
    heard.push({ name, slug: event.metadata?.slug, identity: event.metadata?.identity, event });
  client.reviews.onReviewCreated(listen("onReviewCreated"));
  client.reviews.onReviewUpdated(listen("onReviewUpdated"));
  client.reviews.onReviewDeleted(listen("onReviewDeleted"));
  client.reviews.onReviewModerationStatusChanged(listen("onReviewModerationStatusChanged"));
  client.reviews.onReviewPublished(listen("onReviewPublished"));
  for (const body of given.webhooks) {
    await client.webhooks.process(body);
  }
  return heard;
}

const result = process.argv[2] === "events" ? await events() : await calls();
console.log(JSON.stringify(result));
