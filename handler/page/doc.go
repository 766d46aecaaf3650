// Package page is the status page: which images are exported, which are at work, and what keeps the others from it. It renders
// what a Source knows (Ferry is the domain as one), and hands forms to Actions; it calls no cloud itself. What is read for one
// look may serve the others of the next seconds, see Options.Remember.
//
// # Views
//
//	GET  /                        the overview: counts, coverage, charts, schedules, the hold, the exports
//	GET  /images/{imageId}        one export: objects, attempts, every revision, how to restore it, and its restores
//	GET  /badge.svg               one number for a README or a wiki
//	GET  /assets/{name}           the style sheet, the script, the icon
//	POST /images                  submits the image of the form field imageId
//	POST /images/{imageId}/retry  starts an export again
//	POST /images/{imageId}/cancel stops one
//
// The first two are HTML for whom asks for text/html, as browsers do, and JSON for everybody else; ?format=html and
// ?format=json decide it in the address, the latter for the badge as well. Filters (state, reason, name), limit and cursor are in the address as well. All of it
// works without JavaScript; with it, the page renews itself.
//
// # What protects it
//
// Who may look is decided before a request comes here. The POST routes are there only when Options.AllowActions is set. Their
// forms carry a token that is bound by HMAC to a cookie of the browser, and the browser's own statement of where the request
// comes from is checked, too: see guard. Everything that came from outside (names, tags, reasons, ECS's messages) is escaped,
// isolated, and stripped of characters that reorder or hide text. No resource of another host is used, and the
// Content-Security-Policy allows none.
//
// # In Function Compute
//
// The default domains of Function Compute (*.fcapp.run) add "Content-Disposition: attachment" to every answer, so that a browser
// downloads the page in place of showing it: it needs a custom domain, or `imageferry ui` on one's own machine. Nor does a
// browser sign requests, or send a bearer token by itself: where those are asked for, the page is for `imageferry ui`, or for a
// gateway that adds them. Answers' headers may have 8 KB there; the page's have about one.
package page
