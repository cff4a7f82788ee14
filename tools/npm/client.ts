// What a user of the client writes that openapi-typescript makes: it must compile.
import type { components, paths } from "./api.js";

type List = paths["/v1/sites"]["get"];
export const query: NonNullable<List["parameters"]["query"]> = { host: "example.com", page_size: 100, state: "SITE_STATE_DOWN" };
export const created: paths["/v1/sites"]["post"]["requestBody"]["content"]["application/json"] = { url: "https://example.com/", blog_id: "7" };
export const patch: paths["/v1/sites/{site_id}"]["patch"]["requestBody"]["content"]["application/json"] = { paused: true };

// @ts-expect-error a new site must have a URL
export const incomplete: paths["/v1/sites"]["post"]["requestBody"]["content"]["application/json"] = { blog_id: "7" };
// @ts-expect-error there is no such state
export const unknown: components["schemas"]["SiteState"] = "SITE_STATE_SIDEWAYS";

export function urls(page: List["responses"][200]["content"]["application/json"]): string[] {
  return (page.sites ?? []).map((site) => site.url ?? "");
}

export function reason(e: components["responses"]["NotFound"]["content"]["application/json"]): string {
  return `${e.code}: ${e.message}`;
}
