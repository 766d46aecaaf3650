package fcd

import "net/http"

// Translate is what the HTTP trigger answers for a result of the function.
func Translate(result []byte) (int, http.Header, string) {
	answer := translate(result)
	return answer.status, answer.header, string(answer.body)
}
